/**
 * One Subscribe stream to one node, kept alive: opened where it was left off, given up after three silent seconds, tried again
 * after a jittered delay. It ends by itself only when the node refuses the session.
 */
import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { AgentEvent, AgentService } from '@/api/gen/trunkline/agent/v1/agent_pb'
import { Backoff } from './backoff'
import { type Timer, wait } from './timer'

export type AgentClient = Client<typeof AgentService>

/** A node beats each second; after this long without a word its stream is dead. */
export const silence = 3_000

export interface StreamHooks {
  event(event: AgentEvent): void
  /** Called once for each time the stream dies, and for each try that fails. */
  down(): void
  /** The node does not take the session. True ends the stream, false counts as a failed try. */
  refused(error: ConnectError): boolean
}

export class NodeStream {
  #stopped = new AbortController()
  #epoch = 0n
  #seq = 0n

  constructor(
    readonly url: string,
    private readonly client: AgentClient,
    private readonly hooks: StreamHooks,
    private readonly timer: Timer,
    readonly backoff = new Backoff(),
  ) {}

  /** Opens the stream after delay milliseconds. */
  start(delay = 0): void {
    void this.#run(delay)
  }

  stop(): void {
    this.#stopped.abort()
  }

  async #run(delay: number): Promise<void> {
    const { signal } = this.#stopped
    if (delay > 0) await wait(this.timer, delay, signal)
    while (!signal.aborted) {
      const error = await this.#once()
      if (signal.aborted) return
      this.hooks.down()
      if (error && refuses(error) && this.hooks.refused(error)) return this.stop()
      if (signal.aborted) return
      await wait(this.timer, this.backoff.next(), signal)
    }
  }

  /** One connection from its opening to its end. */
  async #once(): Promise<ConnectError | undefined> {
    const abort = new AbortController()
    const stop = () => abort.abort()
    this.#stopped.signal.addEventListener('abort', stop)
    let cancel = this.timer.after(silence, stop)
    try {
      const stream = this.client.subscribe({ epoch: this.#epoch, afterSeq: this.#seq }, { signal: abort.signal })
      for await (const event of stream) {
        if (abort.signal.aborted) break
        cancel()
        cancel = this.timer.after(silence, stop)
        const verdict = this.#judge(event)
        if (verdict === 'restart') break
        if (verdict === 'skip') continue
        this.backoff.reset()
        this.hooks.event(event)
      }
    } catch (error) {
      return ConnectError.from(error)
    } finally {
      cancel()
      abort.abort()
      this.#stopped.signal.removeEventListener('abort', stop)
    }
    return undefined
  }

  /** A node that started anew counts anew; what it tells before its snapshot has no ground to stand on. */
  #judge(event: AgentEvent): 'take' | 'skip' | 'restart' {
    const kind = event.body.case
    if (kind === 'snapshot' || event.epoch === this.#epoch) {
      this.#epoch = event.epoch
      if (kind === 'snapshot' || event.seq > this.#seq) this.#seq = event.seq
      return 'take'
    }
    if (kind === 'signedOut') return 'take'
    if (kind === 'heartbeat' && this.#epoch === 0n) return 'skip'
    this.#epoch = 0n
    this.#seq = 0n
    return 'restart'
  }
}

function refuses({ code }: ConnectError): boolean {
  return code === Code.Unauthenticated || code === Code.PermissionDenied
}
