/** Is there a microphone that may be used? Asked before the first call, not during it. */
import type { MicrophoneProblem } from '../session/state'
import { openMicrophone, problemOf } from './microphone'

/**
 * What stands in the way of speaking; undefined when nothing does. The browser asks for permission here when it was never given.
 * With permission and a device in the list nothing is opened, so that no red dot flashes.
 */
export async function checkMicrophone(
  devices: MediaDevices | undefined = navigator.mediaDevices,
): Promise<MicrophoneProblem | undefined> {
  if (!devices) return 'insecure'
  try {
    const { state } = await navigator.permissions.query({ name: 'microphone' as PermissionName })
    if (state === 'denied') return 'denied'
    if (state === 'granted') {
      const inputs = (await devices.enumerateDevices()).filter(({ kind }) => kind === 'audioinput')
      return inputs.length > 0 ? undefined : 'missing'
    }
  } catch {
    // A browser that does not tell: try.
  }
  try {
    const track = await openMicrophone(devices)
    track.stop()
    return undefined
  } catch (error) {
    return problemOf(error)
  }
}

/** Measures how loud a source is, 0 to 1 on a scale of 60 dB, as often as the screen is drawn. The result stops it. */
export function measureLevel(track: MediaStreamTrack, told: (level: number) => void): () => void {
  const context = new AudioContext()
  const analyser = context.createAnalyser()
  analyser.fftSize = 1024
  const source = context.createMediaStreamSource(new MediaStream([track]))
  source.connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  let frame = requestAnimationFrame(function look() {
    analyser.getFloatTimeDomainData(samples)
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
    told(Math.min(1, Math.max(0, 1 + (10 * Math.log10(power + 1e-12)) / 60)))
    frame = requestAnimationFrame(look)
  })
  return () => {
    cancelAnimationFrame(frame)
    source.disconnect()
    void context.close()
  }
}

/** Half a second of tone through the chosen loudspeaker. */
export async function playTone(sinkId: string): Promise<void> {
  const context = new AudioContext()
  try {
    if (sinkId && 'setSinkId' in context)
      await (context as AudioContext & { setSinkId(id: string): Promise<void> }).setSinkId(sinkId)
    const oscillator = context.createOscillator()
    const gain = context.createGain()
    gain.gain.value = 0.2
    oscillator.frequency.value = 587.33
    oscillator.connect(gain).connect(context.destination)
    oscillator.start()
    oscillator.stop(context.currentTime + 0.5)
    await new Promise((resolve) => oscillator.addEventListener('ended', resolve))
  } finally {
    await context.close()
  }
}
