/**
 * The microphone: opened when the first call rings, closed when the last one ended, so that the browser's red dot tells the
 * truth. When the device in use is unplugged the next best takes over, and the one the agent chose as soon as it is back.
 */
import type { MicrophoneProblem } from '../session/state'

const chosenKey = 'trunkline.microphone'
const rawKey = 'trunkline.rawAudio'

export interface MicrophoneHooks {
  /** A new source for the legs. `from` is the label of the one it replaces, undefined for the first. */
  source(track: MediaStreamTrack, from?: string): void
  problem(problem: MicrophoneProblem | undefined): void
}

type Devices = Pick<MediaDevices, 'getUserMedia' | 'enumerateDevices' | 'addEventListener' | 'removeEventListener'>

/** Canceller, suppressor and gain control are made for speech: a tone of a measurement loses 19 dB. They can be switched off. */
export function voiceConstraints(deviceId?: string, raw = rawAudio()): MediaTrackConstraints {
  const processed = !raw
  return {
    ...(deviceId && { deviceId: { exact: deviceId } }),
    channelCount: 1,
    echoCancellation: processed,
    noiseSuppression: processed,
    autoGainControl: processed,
  }
}

export function rawAudio(): boolean {
  try {
    return new URLSearchParams(location.search).has('rawAudio') || ['1', 'true'].includes(localStorage.getItem(rawKey) ?? '')
  } catch {
    return false
  }
}

export function chosenMicrophone(): string | undefined {
  try {
    return localStorage.getItem(chosenKey) ?? undefined
  } catch {
    return undefined
  }
}

/** Remembers the agent's choice; an empty id is the system's default. */
export function chooseMicrophone(deviceId: string): void {
  try {
    if (deviceId) localStorage.setItem(chosenKey, deviceId)
    else localStorage.removeItem(chosenKey)
  } catch {
    // Not remembered then.
  }
}

/** What stands in the way, from what getUserMedia threw. */
export function problemOf(error: unknown): MicrophoneProblem {
  const name = error instanceof Error ? error.name : ''
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied'
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'missing'
  if (name === 'TypeError') return 'insecure'
  return 'busy'
}

/** Opens the chosen device, or the default when that one is not there. */
export async function openMicrophone(
  devices: Pick<Devices, 'getUserMedia'>,
  chosen = chosenMicrophone(),
): Promise<MediaStreamTrack> {
  try {
    return await first(devices, chosen)
  } catch (error) {
    if (!chosen || problemOf(error) !== 'missing') throw error
    return first(devices)
  }
}

async function first(devices: Pick<Devices, 'getUserMedia'>, deviceId?: string): Promise<MediaStreamTrack> {
  const stream = await devices.getUserMedia({ audio: voiceConstraints(deviceId) })
  const track = stream.getAudioTracks()[0]
  if (!track) throw new DOMException('no audio track', 'NotFoundError')
  return track
}

export class Microphone {
  #track: MediaStreamTrack | undefined
  #opening: Promise<MediaStreamTrack | undefined> | undefined
  #stopped = false

  constructor(
    private readonly devices: Devices | undefined,
    private readonly hooks: MicrophoneHooks,
  ) {}

  get label(): string | undefined {
    return this.#track?.label
  }

  /** The open source; undefined when there is none to be had, `problem` was told why. */
  open(): Promise<MediaStreamTrack | undefined> {
    if (this.#track?.readyState === 'live') return Promise.resolve(this.#track)
    this.#stopped = false
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  close(): void {
    this.#stopped = true
    this.devices?.removeEventListener('devicechange', this.#look)
    this.#drop()
  }

  async #open(from?: string): Promise<MediaStreamTrack | undefined> {
    if (!this.devices) {
      this.hooks.problem('insecure')
      return undefined
    }
    try {
      const track = await openMicrophone(this.devices)
      if (this.#stopped) {
        track.stop()
        return undefined
      }
      this.#drop()
      this.#track = track
      track.addEventListener('ended', this.#ended)
      this.devices.addEventListener('devicechange', this.#look)
      this.hooks.problem(undefined)
      this.hooks.source(track, from)
      return track
    } catch (error) {
      this.devices.addEventListener('devicechange', this.#look)
      void this.#watchPermission()
      this.hooks.problem(problemOf(error))
      return undefined
    }
  }

  #drop(): void {
    this.#track?.removeEventListener('ended', this.#ended)
    this.#track?.stop()
    this.#track = undefined
  }

  #ended = (): void => {
    void this.#reopen()
  }

  /** The list of devices changed: is ours gone, is the chosen one back? */
  #look = async (): Promise<void> => {
    if (this.#stopped || this.#opening || !this.devices) return
    const inputs = (await this.devices.enumerateDevices()).filter(({ kind }) => kind === 'audioinput')
    const used = this.#track?.getSettings().deviceId
    const chosen = chosenMicrophone()
    const gone = this.#track?.readyState !== 'live' || !inputs.some(({ deviceId }) => deviceId === used)
    const back = chosen !== undefined && chosen !== used && inputs.some(({ deviceId }) => deviceId === chosen)
    if (gone || back) await this.#reopen()
  }

  /** Once allowed after all, speak. */
  async #watchPermission(): Promise<void> {
    try {
      const status = await navigator.permissions.query({ name: 'microphone' as PermissionName })
      status.addEventListener('change', () => void this.#look(), { once: true })
    } catch {
      // A browser that does not tell: the next call asks again.
    }
  }

  #reopen(): Promise<MediaStreamTrack | undefined> {
    const from = this.#track?.label ?? ''
    this.#opening ??= this.#open(from).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }
}
