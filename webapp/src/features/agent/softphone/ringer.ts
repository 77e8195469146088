/**
 * The ringing: two soft notes, twice, then a pause, from WebAudio so that nothing has to be loaded. Browsers play only after a
 * click; going ready is one.
 */
let context: AudioContext | undefined
let source: AudioBufferSourceNode | undefined

/** Call it from a click: from then on the page may ring. */
export function unlockRinger(): void {
  if (typeof AudioContext === 'undefined') return
  context ??= new AudioContext()
  if (context.state === 'suspended') void context.resume()
}

export function startRinging(): void {
  if (source) return
  unlockRinger()
  if (!context) return
  source = context.createBufferSource()
  source.buffer = ring(context)
  source.loop = true
  source.connect(context.destination)
  source.start()
}

export function stopRinging(): void {
  source?.stop()
  source?.disconnect()
  source = undefined
}

/** Three seconds: note, note, pause. */
function ring(context: BaseAudioContext): AudioBuffer {
  const rate = context.sampleRate
  const buffer = context.createBuffer(1, rate * 3, rate)
  const samples = buffer.getChannelData(0)
  for (const start of [0, 0.45]) {
    for (let i = 0; i < rate * 0.4; i++) {
      const t = i / rate
      const shape = Math.min(1, t / 0.02) * Math.exp(-t * 6)
      samples[Math.floor(start * rate) + i] =
        0.28 * shape * (Math.sin(2 * Math.PI * 587.33 * t) + 0.6 * Math.sin(2 * Math.PI * 880 * t))
    }
  }
  return buffer
}
