/** A site in memory for tests: nodes that answer over a router transport, beat, fall silent, and share one state. */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect'
import {
  type AgentEvent,
  AgentEventSchema,
  AgentSchema,
  AgentService,
  AgentState,
  CallSchema,
  CallState,
  ConsultState,
  ExchangeResponseSchema,
  SnapshotSchema,
} from '@/api/gen/trunkline/agent/v1/agent_pb'
import type { AgentClient } from './stream'

export const agentId = '01890000-0000-7000-8000-000000000001'
export const callId = '01890000-0000-7000-8000-0000000000c1'

export const agentAt = (state: AgentState, ms: number, more: MessageInitShape<typeof AgentSchema> = {}) =>
  create(AgentSchema, { id: agentId, name: 'Ada', state, since: timestampFromMs(ms), ...more })

export const callAt = (state: CallState, rev: number, more: MessageInitShape<typeof CallSchema> = {}) =>
  create(CallSchema, {
    id: callId,
    state,
    rev: BigInt(rev),
    caller: '+861012345678',
    queueName: 'Support',
    nodeUrl: 'http://n1',
    ...more,
  })

type Body = MessageInitShape<typeof AgentEventSchema>['body']

/** One stream a client holds open. */
class Line {
  #queue: AgentEvent[] = []
  #wake: (() => void) | undefined
  #error: ConnectError | undefined
  push(event: AgentEvent) {
    this.#queue.push(event)
    this.#wake?.()
  }
  fail(error: ConnectError) {
    this.#error = error
    this.#wake?.()
  }
  async *read(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.#wake?.())
    while (!signal.aborted) {
      const event = this.#queue.shift()
      if (event) {
        yield event
        continue
      }
      if (this.#error) throw this.#error
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

export class FakeNode {
  epoch = 1n
  seq = 0n
  /** Refuses every request, as a dead process does. */
  dead = false
  /** Opens streams and then says nothing, as a dead host does. */
  mute = false
  refuse: Code | undefined
  readonly lines = new Set<Line>()
  readonly subscribed: { epoch: bigint; afterSeq: bigint }[] = []
  readonly commands: { name: string; key: string; token: string; request: object }[] = []
  answer: (name: string) => unknown = () => ({})
  constructor(
    readonly url: string,
    readonly site: FakeSite,
  ) {}

  send(body: Body, seq = ++this.seq) {
    const event = create(AgentEventSchema, { epoch: this.epoch, seq, serverTime: timestampFromMs(this.site.now()), body })
    if (!this.mute) for (const line of this.lines) line.push(event)
  }

  beat() {
    this.send({ case: 'heartbeat', value: {} }, this.seq)
  }

  kill() {
    this.dead = true
    for (const line of this.lines) line.fail(new ConnectError('gone', Code.Unavailable))
    this.lines.clear()
  }

  restart() {
    this.dead = false
    this.epoch++
    this.seq = 0n
  }

  client(token: () => string): AgentClient {
    const up = () => {
      if (this.dead) throw new ConnectError('refused', Code.Unavailable)
      if (this.refuse) throw new ConnectError('not you', this.refuse)
    }
    const command = (name: string) => (request: object) => {
      this.commands.push({ name, key: (request as { idempotencyKey?: string }).idempotencyKey ?? '', token: token(), request })
      up()
      return this.answer(name) as never
    }
    const node = this
    const transport = createRouterTransport(({ service }) =>
      service(AgentService, {
        exchange: () => {
          up()
          return create(ExchangeResponseSchema, {
            sessionToken: 'session-1',
            expiresAt: timestampFromMs(node.site.now() + 43_200_000),
            nodes: node.site.nodeList(),
          })
        },
        async *subscribe(request, context) {
          up()
          node.subscribed.push({ epoch: request.epoch, afterSeq: request.afterSeq })
          const line = new Line()
          node.lines.add(line)
          if (!node.mute && request.epoch !== node.epoch) {
            const value = create(SnapshotSchema, { nodes: node.site.nodeList(), ...node.site.snapshot })
            const serverTime = timestampFromMs(node.site.now())
            line.push(create(AgentEventSchema, { epoch: node.epoch, seq: node.seq, serverTime, body: { case: 'snapshot', value } }))
          }
          try {
            yield* line.read(context.signal)
          } finally {
            node.lines.delete(line)
          }
        },
        setState: command('setState'),
        signOut: command('signOut'),
        negotiate: command('negotiate'),
        accept: command('accept'),
        reject: command('reject'),
        hangup: command('hangup'),
        hold: command('hold'),
        mute: command('mute'),
        sendDigits: command('sendDigits'),
        wrapUp: command('wrapUp'),
        transfer: command('transfer'),
        consult: command('consult'),
        endConsult: command('endConsult'),
        listTargets: command('listTargets'),
      }),
    )
    return createClient(AgentService, transport)
  }
}

export class FakeSite {
  snapshot: MessageInitShape<typeof SnapshotSchema> = { agent: agentAt(AgentState.NOT_READY, 1_000) }
  readonly nodes: FakeNode[]
  constructor(
    urls: string[],
    readonly now: () => number = Date.now,
  ) {
    this.nodes = urls.map((url) => new FakeNode(url, this))
  }

  node(url: string): FakeNode {
    const found = this.nodes.find((node) => node.url === url)
    if (!found) throw new Error(`no node ${url}`)
    return found
  }

  nodeList() {
    return this.nodes.map((node) => ({ name: node.url.replace('http://', ''), url: node.url, up: !node.dead }))
  }

  /** Every living node tells it. */
  send(body: Body) {
    for (const node of this.nodes) if (!node.dead) node.send(body)
  }

  beat() {
    for (const node of this.nodes) if (!node.dead) node.beat()
  }
}

type Held = (lock: Lock | null) => unknown

/** Locks of one browser, for several tabs of a test. */
export class FakeLocks {
  #holder: { reject: (error: unknown) => void } | undefined
  #queue: (() => void)[] = []

  request = ((name: string, options: LockOptions | Held, given?: Held) => {
    const callback = (given ?? options) as Held
    const { ifAvailable, steal } = typeof options === 'function' ? ({} as LockOptions) : options
    return new Promise<unknown>((resolve, reject) => {
      const grant = () => {
        const holder = { reject }
        this.#holder = holder
        void Promise.resolve(callback({ name, mode: 'exclusive' })).then((value) => {
          resolve(value)
          if (this.#holder === holder) this.#next()
        }, reject)
      }
      if (steal) {
        this.#holder?.reject(new DOMException('stolen', 'AbortError'))
        return grant()
      }
      if (!this.#holder) return grant()
      if (ifAvailable) return resolve(callback(null))
      this.#queue.push(grant)
    })
  }) as unknown as LockManager['request']

  query = () => Promise.resolve({})

  #next() {
    this.#holder = undefined
    this.#queue.shift()?.()
  }
}

/** A BroadcastChannel between the tabs of a test: structured clones, delivered in order. */
export class FakeChannels {
  #all = new Set<EventTarget>()

  open(): BroadcastChannel {
    const all = this.#all
    const target = new EventTarget()
    all.add(target)
    return Object.assign(target, {
      postMessage(data: unknown) {
        const copy = structuredClone(data)
        for (const other of all)
          if (other !== target) queueMicrotask(() => other.dispatchEvent(new MessageEvent('message', { data: copy })))
      },
      close: () => all.delete(target),
    }) as unknown as BroadcastChannel
  }
}

/** A Storage of its own. */
export function fakeStorage(): Storage {
  const map = new Map<string, string>()
  return {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
  } as unknown as Storage
}

export { AgentState, CallState, ConsultState }
