/**
 * What an agent writes down about a call. Each change is sent soon after it is made and kept in this browser until the site has
 * it, so that neither a reload nor an unreachable node loses a word.
 */
import { createStore, type StoreApi } from 'zustand/vanilla'
import type { FaultView } from '@/api/fault'
import { faultViewOf } from '../session/tabs'
import type { Timer } from '../session/timer'

export interface DraftState {
  code: string
  note: string
  /** saved: the site has it. waiting: not sent yet. saving: on its way. failed: will be tried again. */
  status: 'saved' | 'waiting' | 'saving' | 'failed'
  fault?: FaultView
}

export type SaveDraft = (code: string, note: string, finish: boolean) => Promise<void>

const settleFor = 700
const againAfter = 3_000

export class Draft {
  readonly store: StoreApi<DraftState>
  #cancel: (() => void) | undefined
  #flight: Promise<boolean> | undefined

  constructor(
    private readonly callId: string,
    known: { code: string; note: string },
    private readonly save: SaveDraft,
    private readonly timer: Timer,
    private readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>,
  ) {
    const kept = this.#recall()
    const unsent = kept !== undefined && !kept.sent
    this.store = createStore(() => ({
      code: kept?.code ?? known.code,
      note: kept?.note ?? known.note,
      status: unsent ? ('waiting' as const) : ('saved' as const),
    }))
    if (unsent) this.#later(0)
  }

  change(part: { code?: string; note?: string }): void {
    this.store.setState({ ...part, status: 'waiting' })
    this.#remember(false)
    // A code is one choice, a note is typed.
    this.#later(part.code === undefined ? settleFor : 0)
  }

  /** The site tells what it has, once the call is over; it counts unless something newer is here. */
  told(known: { code: string; note: string }): void {
    const { status, code, note } = this.store.getState()
    if (status === 'saved' && (code !== known.code || note !== known.note)) this.store.setState(known)
  }

  /** Sends now, on leaving a field. */
  flush(): void {
    if (this.store.getState().status === 'waiting') this.#later(0)
  }

  /** Saves all and ends the wrap-up. Throws when the site did not take it. */
  async finish(): Promise<void> {
    this.#cancel?.()
    await this.#flight
    const { code, note } = this.store.getState()
    this.store.setState({ status: 'saving' })
    try {
      await this.save(code, note, true)
    } catch (error) {
      this.store.setState({ status: 'failed', fault: faultViewOf(error) })
      throw error
    }
    this.store.setState({ status: 'saved', fault: undefined })
    this.#forget()
  }

  stop(): void {
    this.#cancel?.()
  }

  #later(ms: number): void {
    this.#cancel?.()
    this.#cancel = this.timer.after(ms, () => void this.#send())
  }

  /** One at a time, so that an older text never overtakes a newer one. */
  async #send(): Promise<void> {
    if (this.#flight) await this.#flight
    const { code, note, status } = this.store.getState()
    if (status === 'saved' || status === 'saving') return
    this.store.setState({ status: 'saving', fault: undefined })
    this.#flight = this.save(code, note, false).then(
      () => true,
      (error: unknown) => {
        this.store.setState({ status: 'failed', fault: faultViewOf(error) })
        return false
      },
    )
    const taken = await this.#flight
    this.#flight = undefined
    const now = this.store.getState()
    if (now.code !== code || now.note !== note) return this.#later(0)
    if (!taken) return this.#later(againAfter)
    this.store.setState({ status: 'saved', fault: undefined })
    this.#remember(true)
  }

  #forget(): void {
    try {
      this.storage.removeItem(this.#key)
    } catch {
      // It was not kept either.
    }
  }

  get #key(): string {
    return `trunkline.note.${this.callId}`
  }

  /** Kept after it was sent as well: during the call the site does not tell it back. */
  #remember(sent: boolean): void {
    const { code, note } = this.store.getState()
    try {
      this.storage.setItem(this.#key, JSON.stringify({ code, note, sent }))
    } catch {
      // Sent in a moment anyway.
    }
  }

  #recall(): { code: string; note: string; sent: boolean } | undefined {
    try {
      const kept = JSON.parse(this.storage.getItem(this.#key) ?? 'null') as {
        code?: unknown
        note?: unknown
        sent?: unknown
      } | null
      if (typeof kept?.code !== 'string' || typeof kept.note !== 'string') return undefined
      return { code: kept.code, note: kept.note, sent: kept.sent === true }
    } catch {
      return undefined
    }
  }
}
