/**
 * One tab leads: it holds the streams and the audio. The others are its remotes: they show what it tells and pass commands to
 * it. A Web Lock says who leads, so that a closed or crashed tab is followed by the next one at once; a person may also take
 * the lead over, the lock is then taken away and the old leader becomes a remote.
 */
import { type FaultView, faultOf } from '@/api/fault'
import { uuidv7 } from './ids'

export interface TabHooks<State, Command> {
  lead(): void
  follow(): void
  /** The leader's state, at a remote. */
  told(state: State): void
  /** The state to tell, at the leader. */
  state(): State
  run(command: Command): Promise<void>
}

type Message<State, Command> =
  | { kind: 'hello' }
  | { kind: 'state'; state: State }
  | { kind: 'command'; id: string; command: Command }
  | { kind: 'done'; id: string; fault?: FaultView }

/** A remote's command without an answer for this long has found no leader. */
const answerWithin = 8_000

export class Fault extends Error {
  constructor(readonly view: FaultView) {
    super(view.message)
  }
}

export class Tabs<State, Command> {
  #leads = false
  #stopped = false
  #release: (() => void) | undefined
  #waiting = new Map<string, (fault?: FaultView) => void>()

  constructor(
    private readonly name: string,
    private readonly locks: LockManager | undefined,
    private readonly channel: BroadcastChannel | undefined,
    private readonly hooks: TabHooks<State, Command>,
  ) {
    channel?.addEventListener('message', this.#hear)
  }

  get leads(): boolean {
    return this.#leads
  }

  /** Leads at once when no other tab does, else follows until it may. */
  start() {
    if (!this.locks) return this.#lead()
    const first = this.locks.request(this.name, { ifAvailable: true }, (lock) => (lock ? this.#hold() : Promise.resolve('taken')))
    void this.#watch(first, () => {
      if (this.#stopped) return
      this.hooks.follow()
      this.#post({ kind: 'hello' })
      this.#queue()
    })
  }

  /** Takes the lead away from the tab that has it. */
  takeOver(): void {
    if (this.#leads || !this.locks || this.#stopped) return
    void this.#watch(this.locks.request(this.name, { steal: true }, () => this.#hold()))
  }

  /** Ends the part of this tab; the next one leads. */
  stop(): void {
    this.#stopped = true
    this.#leads = false
    this.#release?.()
    this.channel?.removeEventListener('message', this.#hear)
    this.channel?.close()
  }

  /** Tells the remotes. */
  tell(): void {
    if (this.#leads) this.#post({ kind: 'state', state: this.hooks.state() })
  }

  /** Runs the command here, or at the leader. Rejects with a Fault. */
  async run(command: Command): Promise<void> {
    if (this.#leads) return this.hooks.run(command)
    const id = uuidv7()
    const fault = await new Promise<FaultView | undefined>((resolve) => {
      const late = setTimeout(() => resolve(faultOf(new TypeError('no tab leads'))), answerWithin)
      this.#waiting.set(id, (answer) => {
        clearTimeout(late)
        resolve(answer)
      })
      this.#post({ kind: 'command', id, command })
    })
    this.#waiting.delete(id)
    if (fault) throw new Fault(fault)
  }

  #lead(): void {
    this.#leads = true
    this.hooks.lead()
    this.tell()
  }

  /** The lock's callback: leads until released. */
  #hold(): Promise<unknown> {
    if (this.#stopped) return Promise.resolve()
    const released = new Promise<void>((resolve) => {
      this.#release = resolve
    })
    this.#lead()
    return released
  }

  #queue(): void {
    if (this.locks) void this.#watch(this.locks.request(this.name, () => (this.#leads ? Promise.resolve() : this.#hold())))
  }

  /** A lock request ends when it is released here (nothing to do), when another tab stole it, or when it was not to be had. */
  async #watch(request: Promise<unknown>, taken?: () => void): Promise<void> {
    try {
      if ((await request) === 'taken') taken?.()
    } catch {
      if (this.#stopped) return
      this.#leads = false
      this.hooks.follow()
      this.#post({ kind: 'hello' })
      this.#queue()
    }
  }

  #post(message: Message<State, Command>): void {
    this.channel?.postMessage(message)
  }

  #hear = ({ data }: MessageEvent<Message<State, Command>>) => {
    switch (data.kind) {
      case 'hello':
        return this.tell()
      case 'state':
        if (!this.#leads) this.hooks.told(data.state)
        return
      case 'command':
        if (this.#leads) void this.#serve(data.id, data.command)
        return
      case 'done':
        this.#waiting.get(data.id)?.(data.fault)
    }
  }

  async #serve(id: string, command: Command): Promise<void> {
    try {
      await this.hooks.run(command)
      this.#post({ kind: 'done', id })
    } catch (error) {
      this.#post({ kind: 'done', id, fault: faultViewOf(error) })
    }
  }
}

/** What to show for any thrown value, also one that another tab has put in words already. */
export function faultViewOf(error: unknown): FaultView {
  return error instanceof Fault ? error.view : faultOf(error)
}
