// Runs in every page before its own scripts. It hears what arrives over WebRTC, sees offers and clicks, and tells the
// driver when. Times are this machine's clock in milliseconds.
;(() => {
  const now = () => Math.round(performance.timeOrigin + performance.now())
  const tell = (event) => window.__tell?.({ at: now(), ...event })
  const watched = window.__watchedTones ?? []

  // Canceller, suppressor and gain control are made for speech and cut a tone by 19 dB.
  localStorage.setItem('trunkline.rawAudio', '1')
  const devices = navigator.mediaDevices
  if (devices) {
    const open = devices.getUserMedia.bind(devices)
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }
    devices.getUserMedia = (wish) => open(wish?.audio ? { ...wish, audio: { ...(wish.audio === true ? {} : wish.audio), ...raw } } : wish)
  }

  // A tone is heard once it fills half of the window, which is looked at each 5 ms: what is told comes 5 to 11 ms after the
  // sound. It has to last a moment to count, and counts from its beginning.
  const windowSize = 512 // 10.7 ms at 48 kHz
  const lookEvery = 5
  const lasts = 60

  const legs = []
  const peers = []
  const Native = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Native {
    constructor(...config) {
      super(...config)
      peers.push(this)
      this.addEventListener('track', ({ track }) => listen(track))
      this.addEventListener('connectionstatechange', () => tell({ event: 'leg', what: this.connectionState }))
    }
  }

  let context
  function listen(track) {
    context ??= new AudioContext({ sampleRate: 48000 })
    void context.resume()
    const analyser = context.createAnalyser()
    analyser.fftSize = windowSize
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser)
    legs.push({ track, analyser, samples: new Float32Array(analyser.fftSize) })
  }

  /** Loudness of the newest leg, and how much of it is the tone, in dB of full scale. */
  function measure(hz) {
    const leg = legs.findLast(({ track }) => track.readyState === 'live')
    if (!leg) return { all: -120, tone: -120 }
    leg.analyser.getFloatTimeDomainData(leg.samples)
    const n = leg.samples.length
    let power = 0
    let re = 0
    let im = 0
    for (let i = 0; i < n; i++) {
      const w = 1 - Math.cos((2 * Math.PI * i) / n) // Hann, unit gain
      const phase = (2 * Math.PI * hz * i) / context.sampleRate
      power += leg.samples[i] ** 2
      re += leg.samples[i] * w * Math.cos(phase)
      im += leg.samples[i] * w * Math.sin(phase)
    }
    const db = (p) => Math.round(100 * Math.log10(p + 1e-12)) / 10
    return { all: db(power / n), tone: db((2 * (re * re + im * im)) / (n * n)) }
  }

  const heard = {}
  const turned = {} // since when it is the other way
  setInterval(() => {
    for (const hz of watched) {
      const { all, tone } = measure(hz)
      const is = all > -35 && tone > all - 3
      if (is === (heard[hz] ?? false)) {
        delete turned[hz]
        continue
      }
      turned[hz] ??= { at: now(), all, tone }
      if (now() - turned[hz].at < lasts) continue
      heard[hz] = is
      tell({ event: is ? 'hears' : 'deaf', hz, ...turned[hz] })
      delete turned[hz]
    }
  }, lookEvery)
  window.__hears = (hz) => ({ ...measure(hz), legs: legs.length })

  /** The way the newest connection's packets take: the addresses of the pair in use at both ends. */
  window.__way = async () => {
    const stats = await peers.findLast(({ connectionState }) => connectionState === 'connected')?.getStats()
    const pair = stats && [...stats.values()].find(({ type, state, nominated }) => type === 'candidate-pair' && nominated && state === 'succeeded')
    if (!pair) return null
    const end = ({ candidateType, address, port, protocol, relayProtocol }) => ({ candidateType, address, port, protocol, relayProtocol })
    return { local: end(stats.get(pair.localCandidateId)), remote: end(stats.get(pair.remoteCandidateId)) }
  }

  addEventListener(
    'click',
    ({ target, timeStamp }) =>
      tell({
        event: 'click',
        at: Math.round(performance.timeOrigin + timeStamp), // of the button's release, not of this handler
        what: target.closest?.('[data-testid]')?.dataset.testid ?? '',
      }),
    true,
  )
  let shown
  new MutationObserver(() => {
    const call = document.querySelector('[data-testid=offer-card]')?.dataset.call
    if (call && call !== shown) requestAnimationFrame(() => tell({ event: 'offer', call }))
    shown = call
  }).observe(document, { childList: true, subtree: true })
})()
