/**
 * What the agent hears. A stream is attached to an audio element even while it is muted: it plays from the first packet, and
 * opening it is one property. Browsers play without a click while the microphone is open; where one does not, the next click
 * anywhere on the page starts it.
 */
const chosenKey = 'trunkline.speaker'

export interface Output {
  attach(stream: MediaStream): void
  setOpen(open: boolean): void
  stop(): void
}

export function chosenSpeaker(): string {
  try {
    return localStorage.getItem(chosenKey) ?? ''
  } catch {
    return ''
  }
}

/** Remembers where to play; an empty id is the system's default. */
export function chooseSpeaker(deviceId: string): void {
  try {
    localStorage.setItem(chosenKey, deviceId)
  } catch {
    // Not remembered then.
  }
  for (const output of playing) void output.route()
}

const playing = new Set<ElementOutput>()

/** blocked is told when the browser refuses to play, and again when it no longer does. */
export function makeOutput(blocked: (is: boolean) => void): Output {
  return new ElementOutput(blocked)
}

class ElementOutput implements Output {
  #audio = new Audio()

  constructor(private readonly blocked: (is: boolean) => void) {
    this.#audio.autoplay = true
    this.#audio.muted = true
    playing.add(this)
  }

  attach(stream: MediaStream): void {
    this.#audio.srcObject = stream
    void this.route()
    void this.#play()
  }

  setOpen(open: boolean): void {
    this.#audio.muted = !open
    if (open && this.#audio.srcObject) void this.#play()
  }

  stop(): void {
    playing.delete(this)
    this.#wait(false)
    this.#audio.pause()
    this.#audio.srcObject = null
  }

  async route(): Promise<void> {
    try {
      if ('setSinkId' in this.#audio) await this.#audio.setSinkId(chosenSpeaker())
    } catch {
      // The chosen loudspeaker is gone: the default plays on.
    }
  }

  async #play(): Promise<void> {
    try {
      await this.#audio.play()
      this.blocked(false)
      this.#wait(false)
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'NotAllowedError' || !playing.has(this)) return
      this.blocked(true)
      this.#wait(true)
    }
  }

  /** For the next press of a button or key, which is what browsers ask for. */
  #wait(on: boolean): void {
    for (const press of ['pointerdown', 'keydown'] as const) {
      if (on) document.addEventListener(press, this.#again)
      else document.removeEventListener(press, this.#again)
    }
  }

  #again = (): void => {
    void this.#play()
  }
}
