/**
 * The streams to two different nodes of the site. A node that goes silent is left for one nobody listens to yet, in the order
 * of the site's list; with one node there is one stream.
 */
import type { ConnectError } from '@connectrpc/connect'
import type { AgentEvent } from '@/api/gen/trunkline/agent/v1/agent_pb'
import { Backoff } from './backoff'
import type { NodeView } from './model'
import { type AgentClient, NodeStream } from './stream'
import type { Timer } from './timer'

const wanted = 2

export interface LinkHooks {
  event(url: string, event: AgentEvent): void
  down(url: string): void
  /** See StreamHooks. */
  refused(error: ConnectError): boolean
}

export class Links {
  #streams = new Map<string, NodeStream>()
  #nodes: NodeView[] = []
  #stopped = false

  constructor(
    private readonly own: string,
    private readonly connect: (url: string) => AgentClient,
    private readonly hooks: LinkHooks,
    private readonly timer: Timer,
  ) {}

  get urls(): string[] {
    return [...this.#streams.keys()]
  }

  /** Takes the site's list of nodes, at the start and whenever it changes. */
  update(nodes: NodeView[]): void {
    this.#nodes = nodes
    for (const url of this.urls) if (!this.candidates().includes(url)) this.#leave(url)
    const first = nodes.length > 0 ? this.candidates().filter((url) => nodes.some((node) => node.url === url)) : [this.own]
    for (const url of first) if (this.#streams.size < wanted) this.#open(url)
  }

  stop(): void {
    this.#stopped = true
    for (const stream of this.#streams.values()) stream.stop()
    this.#streams.clear()
  }

  /**
   * Every address worth a try, best first: the node this page came from, then those said to be up. This page's own address
   * comes last when the list does not name it: it may be another name of a listed node.
   */
  candidates(): string[] {
    const listed = this.#nodes.toSorted((a, b) => rank(b, this.own) - rank(a, this.own)).map(({ url }) => url)
    return listed.includes(this.own) ? listed : [...listed, this.own]
  }

  #open(url: string, backoff = new Backoff(), delay = 0): void {
    if (this.#stopped || this.#streams.has(url)) return
    const hooks = {
      event: (event: AgentEvent) => this.hooks.event(url, event),
      down: () => this.#down(url),
      refused: (error: ConnectError) => this.hooks.refused(error),
    }
    const stream = new NodeStream(url, this.connect(url), hooks, this.timer, backoff)
    this.#streams.set(url, stream)
    stream.start(delay)
  }

  #down(url: string): void {
    this.hooks.down(url)
    const stream = this.#streams.get(url)
    const ring = this.candidates()
    const at = ring.indexOf(url)
    const next = [...ring.slice(at + 1), ...ring.slice(0, at)].find((other) => !this.#streams.has(other))
    if (next === undefined || !stream) return
    stream.stop()
    this.#streams.delete(url)
    this.#open(next, stream.backoff, stream.backoff.next())
  }

  #leave(url: string): void {
    this.#streams.get(url)?.stop()
    this.#streams.delete(url)
    this.hooks.down(url)
  }
}

function rank(node: NodeView, own: string): number {
  return (node.url === own ? 2 : 0) + (node.up ? 1 : 0)
}
