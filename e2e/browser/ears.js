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
    devices.getUserMedia = (wish) => {
      wakeEar()
      return open(wish?.audio ? { ...wish, audio: { ...(wish.audio === true ? {} : wish.audio), ...raw } } : wish)
    }
  }

  // A tone is heard once it fills half of the window, which moves on with each 10 ms that the browser gives out: what is told
  // comes 5 to 15 ms after the sound. It has to last a moment to count, and counts from its beginning. A worker listens: the
  // page's own thread is busiest when somebody answers. How late the browser was with it is told too, against what it gave out
  // soonest.
  const windowSize = 512 // 10.7 ms at 48 kHz
  const lasts = 60

  /** Of samples: loudness, and how much of it is the tone, in dB of full scale. */
  function measure(samples, hz, rate) {
    const n = samples.length
    let power = 0
    let re = 0
    let im = 0
    for (let i = 0; i < n; i++) {
      const w = 1 - Math.cos((2 * Math.PI * i) / n) // Hann, unit gain
      const phase = (2 * Math.PI * hz * i) / rate
      power += samples[i] ** 2
      re += samples[i] * w * Math.cos(phase)
      im += samples[i] * w * Math.sin(phase)
    }
    const db = (p) => Math.round(100 * Math.log10(p + 1e-12)) / 10
    return { all: db(power / n), tone: db((2 * (re * re + im * im)) / (n * n)) }
  }

  /** Runs in the worker: tells when a tone begins and ends in what a track gives out. */
  async function listener({ data: { readable, watched, windowSize, lasts } }) {
    const now = () => Math.round(performance.timeOrigin + performance.now())
    const samples = new Float32Array(windowSize)
    const heard = {}
    const turned = {} // since when it is the other way
    const first = {} // when it was the other way for the first time, be it for a moment
    let played = 0 // ms
    let behind = Infinity
    const reader = readable.getReader()
    for (;;) {
      const { done, value: audio } = await reader.read()
      if (done) break
      const fresh = new Float32Array(audio.numberOfFrames)
      audio.copyTo(fresh, { planeIndex: 0, format: 'f32-planar' })
      const rate = audio.sampleRate
      audio.close()
      played += (1000 * fresh.length) / rate
      behind = Math.min(behind, now() - played)
      const at = now()
      const late = Math.round(at - played - behind)
      samples.set(samples.subarray(Math.min(fresh.length, windowSize)))
      const part = fresh.subarray(Math.max(0, fresh.length - windowSize))
      samples.set(part, windowSize - part.length)
      for (const hz of watched) {
        const { all, tone } = measure(samples, hz, rate)
        const is = all > -35 && tone > all - 3
        if (is === (heard[hz] ?? false)) {
          delete turned[hz]
          continue
        }
        first[hz] ??= at
        turned[hz] ??= { at, all, tone, first: first[hz], late }
        if (at - turned[hz].at < lasts) continue
        heard[hz] = is
        postMessage({ event: is ? 'hears' : 'deaf', hz, ...turned[hz] })
        delete turned[hz]
        delete first[hz]
      }
    }
    for (const hz of watched) if (heard[hz]) postMessage({ event: 'deaf', hz, at: now() })
  }

  const peers = []
  const Native = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Native {
    constructor(...config) {
      super(...config)
      wakeEar()
      peers.push(this)
      this.addEventListener('track', ({ track }) => listen(track))
      this.addEventListener('connectionstatechange', () => tell({ event: 'leg', what: this.connectionState }))
    }
  }

  // One worker for all tracks, there before the first: a new one takes half a second to begin on a busy machine.
  let ear
  function wakeEar() {
    if (ear) return
    ear = new Worker(URL.createObjectURL(new Blob([`${measure}\nonmessage = ${listener}`], { type: 'text/javascript' })))
    ear.onmessage = ({ data }) => tell(data)
  }

  function listen(track) {
    const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: 200 })
    ear.postMessage({ readable, watched, windowSize, lasts }, [readable])
  }

  const newest = () => peers.findLast(({ connectionState }) => connectionState === 'connected')

  /** The way the newest connection's packets take: the addresses of the pair in use at both ends. */
  window.__way = async () => {
    const stats = await newest()?.getStats()
    const pair = stats && [...stats.values()].find(({ type, state, nominated }) => type === 'candidate-pair' && nominated && state === 'succeeded')
    if (!pair) return null
    const end = ({ candidateType, address, port, protocol, relayProtocol }) => ({ candidateType, address, port, protocol, relayProtocol })
    return { local: end(stats.get(pair.localCandidateId)), remote: end(stats.get(pair.remoteCandidateId)) }
  }

  /** What the browser made of what arrived over the newest connection (W3C webrtc-stats, inbound-rtp). */
  window.__received = async () => {
    const stats = await newest()?.getStats()
    return stats && [...stats.values()].find(({ type }) => type === 'inbound-rtp')
  }

  /** Tells what an element says, now and whenever it says something else, once that is painted. */
  window.__shows = (selector) => {
    let shown
    const look = () => {
      const text = document.querySelector(selector)?.textContent ?? ''
      if (text !== shown) requestAnimationFrame(() => tell({ event: 'shows', what: selector, text }))
      shown = text
    }
    look()
    new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true })
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
