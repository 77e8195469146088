/**
 * The agent's session at a site, without React: who leads, the streams, the commands and the audio, brought together in one
 * store. The tab that leads runs it all; a remote shows what the leader tells.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import { createStore, type StoreApi } from 'zustand/vanilla'
import type { AgentEvent } from '@/api/gen/trunkline/agent/v1/agent_pb'
import { SiteClock } from './clock'
import { type Command, execute, persist, type Route } from './commands'
import type { CredentialStore, Credentials } from './credentials'
import { Links } from './links'
import { emptyMerge, lose, type Merge, merged, take, takeAnswer } from './merge'
import { type IceServerView, millis, nodeViews, type TargetsView, targetsView } from './model'
import {
  type AudioView,
  firstState,
  type LegWish,
  legWishes,
  type Pending,
  type SessionState,
  settled,
  silentAudio,
  stillMuted,
} from './state'
import type { AgentClient } from './stream'
import { faultViewOf, Tabs } from './tabs'
import { nextTask, type Timer } from './timer'

/** The audio of the calls, as the session drives it. */
export interface AudioPort {
  sync(wishes: LegWish[], iceServers: IceServerView[]): void
  stop(): void
}

export interface AudioHooks {
  negotiate(callId: string, sdpOffer: string, legId: string): Promise<string>
  changed(audio: AudioView): void
}

export interface SessionConfig {
  /** Address of the node this page came from. */
  own: string
  connect(url: string, token: () => string): AgentClient
  credentials: CredentialStore
  timer: Timer
  audio(hooks: AudioHooks): AudioPort
  locks?: LockManager
  channel?: BroadcastChannel
  handover?: { grant?: string; session?: string }
  now?: () => number
}

/** A name for the lock, and for the channel between the tabs. */
export const agentLock = 'trunkline-agent'

/** A session that came in the address brings no end; the site knows it. */
const assumedLife = 12 * 3_600_000
/** So many refusals in a row, with no stream alive, mean that the session is over. A single one may be a node that lags behind. */
const refusalsBelieved = 3
/** Of queues and of agents each. */
const targetsShown = 20

export class AgentSession {
  readonly store: StoreApi<SessionState> = createStore(() => firstState)
  readonly clock: SiteClock
  readonly #tabs: Tabs<SessionState, Command>
  readonly #now: () => number
  #credentials: Credentials | undefined
  #grant: string | undefined
  #handedSession: string | undefined
  #merge: Merge = emptyMerge
  #links: Links | undefined
  #audio: AudioPort | undefined
  #refusals = 0
  #endReasons = new Map<string, string>()

  constructor(private readonly config: SessionConfig) {
    this.#now = config.now ?? Date.now
    this.clock = new SiteClock(this.#now)
    this.#grant = config.handover?.grant
    this.#handedSession = config.handover?.session
    this.#tabs = new Tabs(agentLock, config.locks, config.channel, {
      lead: () => void this.#lead(),
      follow: () => this.#follow(),
      told: (state) => this.#told(state),
      state: () => this.store.getState(),
      run: (command) => this.#run(command),
    })
    this.store.subscribe((state) => {
      if (!this.#tabs.leads) return
      this.#audio?.sync(legWishes(state), state.iceServers)
      this.#tabs.tell()
    })
  }

  start(): void {
    this.#tabs.start()
  }

  /** This tab no longer takes part. The session at the site lives on. */
  stop(): void {
    this.#halt()
    this.#tabs.stop()
  }

  /** Makes this tab the one with the audio. */
  takeOver(): void {
    this.#tabs.takeOver()
  }

  /** Rejects with what to show: see faultViewOf. */
  run(command: Command): Promise<void> {
    return this.#tabs.run(command)
  }

  /** Tries the grant of the address again, after it failed for want of an answer. */
  retry(): void {
    if (this.#tabs.leads) void this.#begin()
  }

  dismissLostOffer(): void {
    this.store.setState({ lostOffer: undefined })
  }

  /** Where else this desktop can be opened when its own node is to go: same session, another node. */
  addressAt(url: string): string | undefined {
    const token = (this.#credentials ?? this.config.credentials.load())?.token
    return token ? `${url}/desktop#session=${token}` : undefined
  }

  /** Who the caller can be passed to now. Any tab may ask. */
  async targets(callId: string, query: string): Promise<TargetsView> {
    const token = () => (this.#credentials ?? this.config.credentials.load())?.token ?? ''
    const route = { ...this.#route(), connect: (url: string) => this.config.connect(url, token) }
    const answer = await persist(
      (client) => client.listTargets({ callId, query, limit: targetsShown }, { timeoutMs: 2_000 }),
      undefined,
      route,
      this.config.timer,
    )
    return targetsView(answer)
  }

  // --- leading ---

  #lead(): void {
    this.store.setState({ role: 'leader', muted: this.config.credentials.muted() })
    this.#audio = this.config.audio({
      negotiate: (callId, sdpOffer, legId) => this.#negotiate(callId, sdpOffer, legId),
      changed: (audio) => this.store.setState({ audio }),
    })
    void this.#begin()
  }

  #follow(): void {
    this.#halt()
    // What the leader told last stays on the screen until it tells more.
    this.store.setState({ role: 'remote', audio: silentAudio })
  }

  #told(state: SessionState): void {
    this.store.setState({ ...state, role: 'remote' }, true)
    // An old tab where nobody is signed in must not keep the one that brings a session from using it.
    const over = state.phase === 'absent' || state.phase === 'ended'
    if (over && (this.#grant || this.#handedSession)) this.takeOver()
  }

  #halt(): void {
    this.#links?.stop()
    this.#links = undefined
    this.#audio?.stop()
    this.#audio = undefined
    this.#merge = emptyMerge
  }

  async #begin(): Promise<void> {
    if (this.#handedSession) {
      this.config.credentials.save({ token: this.#handedSession, expiresAt: this.#now() + assumedLife, nodes: [] })
      this.#handedSession = undefined
    }
    if (this.#grant && !(await this.#exchange(this.#grant))) return
    if (!this.#tabs.leads) return
    this.#grant = undefined
    const credentials = this.config.credentials.load()
    if (!credentials) return this.store.setState({ phase: 'absent' })
    this.#open(credentials)
  }

  /** Turns the grant into a session of the site. False when that failed; the state says why. */
  async #exchange(grant: string): Promise<boolean> {
    this.store.setState({ phase: 'exchanging', fault: undefined })
    const { own, timer, connect, credentials } = this.config
    const route: Route = { owner: () => undefined, others: () => [own], connect: (url) => connect(url, () => '') }
    try {
      const answer = await persist(
        (client) => client.exchange({ cloudToken: grant }, { timeoutMs: 4_000 }),
        undefined,
        route,
        timer,
      )
      credentials.save({
        token: answer.sessionToken,
        expiresAt: this.#ends(millis(answer.expiresAt)),
        nodes: nodeViews(answer.nodes),
      })
      return true
    } catch (error) {
      // A grant is short-lived; a session this browser already has is as good.
      if (credentials.fresh()) return true
      const { code } = ConnectError.from(error)
      if (code === Code.Unauthenticated || code === Code.PermissionDenied) this.#grant = undefined
      this.store.setState({ phase: 'absent', fault: faultViewOf(error) })
      return false
    }
  }

  /** The end the site named, by this machine's clock. A clock that is far off must not end a session that has just begun. */
  #ends(named: number | undefined): number {
    const left = (named ?? 0) - this.#now()
    return this.#now() + (left > 60_000 && left < 2 * assumedLife ? left : assumedLife)
  }

  #open(credentials: Credentials): void {
    this.#credentials = credentials
    this.#refusals = 0
    this.#links?.stop()
    const hooks = {
      event: (url: string, event: AgentEvent) => this.#event(url, event),
      down: (url: string) => this.#down(url),
      refused: () => this.#refused(),
    }
    this.#links = new Links(this.config.own, (url) => this.#client(url), hooks, this.config.timer)
    this.store.setState({
      phase: 'running',
      connection: 'connecting',
      ended: undefined,
      fault: undefined,
      nodes: credentials.nodes,
    })
    this.#links.update(credentials.nodes)
  }

  #client(url: string): AgentClient {
    return this.config.connect(url, () => this.#credentials?.token ?? '')
  }

  #event(url: string, event: AgentEvent) {
    if (!this.#links) return
    this.#refusals = 0
    const stamped = millis(event.serverTime)
    if (stamped !== undefined) this.clock.sample(stamped)
    if (event.body.case === 'signedOut') return this.#end(event.body.value.reason)
    if (event.body.case === 'call' && event.body.value.endReason)
      this.#endReasons.set(event.body.value.id, event.body.value.endReason)
    const before = this.#merge
    this.#merge = take(before, url, event.body)
    if (this.#merge !== before) this.#show()
    if (event.body.case === 'snapshot') this.#keepNodes()
  }

  #down(url: string): void {
    this.#merge = lose(this.#merge, url)
    this.#show()
  }

  #refused(): boolean {
    this.#refusals++
    const alive = Object.values(this.#merge.sources).some((source) => source.alive)
    if (alive || this.#refusals < refusalsBelieved) return false
    this.#end('expired')
    return true
  }

  #keepNodes(): void {
    const { nodes } = this.store.getState()
    if (!this.#credentials || nodes.length === 0) return
    this.#credentials = { ...this.#credentials, nodes }
    this.config.credentials.save(this.#credentials)
    this.#links?.update(nodes)
  }

  #end(reason: string): void {
    this.config.credentials.clear()
    this.#credentials = undefined
    this.#links?.stop()
    this.#links = undefined
    this.#merge = emptyMerge
    this.store.setState({ ...firstState, role: 'leader', phase: 'ended', ended: reason, agent: this.store.getState().agent })
  }

  /** Brings the merged view into the store. */
  #show(): void {
    if (!this.#links) return
    const before = this.store.getState()
    const view = merged(this.#merge)
    const sources = Object.values(this.#merge.sources)
    const alive = sources.some((source) => source.alive && source.known)
    const known = sources.some((source) => source.known)
    if (!known) Object.assign(view, { nodes: before.nodes })
    const connection = alive ? 'live' : known ? 'lost' : 'connecting'
    const names = new Map(view.nodes.map(({ url, name }) => [url, name]))
    const now = this.#now()
    this.store.setState({
      ...view,
      connection,
      lostAt: connection === 'lost' ? (before.lostAt ?? now) : undefined,
      links: this.#links.urls.map((url) => ({ url, name: names.get(url) ?? url, alive: this.#merge.sources[url]?.alive ?? false })),
      clockOffset: Math.abs(this.clock.offset - before.clockOffset) > 20 ? this.clock.offset : before.clockOffset,
      pending: settled(before.pending, view.calls),
      muted: stillMuted(before.muted, view.calls),
      statePending: before.statePending,
      lostOffer: this.#lostOffer(before, view.calls, now) ?? before.lostOffer,
    })
  }

  #lostOffer(before: SessionState, calls: SessionState['calls'], at: number): SessionState['lostOffer'] {
    const gone = before.calls.find((call) => call.state === 'offered' && !calls.some(({ id }) => id === call.id))
    if (!gone || gone.consult?.asked) return undefined // no caller was waiting for this agent
    return { call: gone, reason: this.#endReasons.get(gone.id) ?? '', at }
  }

  // --- commands ---

  #route(): Route {
    return {
      owner: (callId) => this.store.getState().calls.find(({ id }) => id === callId)?.nodeUrl || undefined,
      others: () => {
        const { links, nodes } = this.store.getState()
        const alive = links.filter((link) => link.alive).map(({ url }) => url)
        const rest = nodes.map(({ url }) => url)
        return [...new Set([...alive, ...rest, this.config.own])]
      },
      connect: (url) => this.#client(url),
    }
  }

  async #run(command: Command): Promise<void> {
    if (!this.#credentials) throw new ConnectError('signed out', Code.Unauthenticated)
    if (command.name === 'mute') return this.#mute(command)
    const answered = execute(command, this.#route(), this.config.timer)
    if (command.name === 'accept') {
      // The caller waits: the request leaves before the page is drawn anew.
      answered.catch(() => undefined) // told below
      await nextTask()
    }
    this.#ask(command)
    try {
      const answer = await answered
      if (command.name === 'sign_out') return this.#end('signed_out')
      this.#merge = takeAnswer(this.#merge, answer)
      this.#forgetAsked(command, true)
      this.#show()
    } catch (error) {
      this.#forgetAsked(command, false)
      throw error
    }
  }

  /** Done here and at once; the node is told so that others can see it. */
  async #mute(command: Extract<Command, { on: boolean }>): Promise<void> {
    const muted = command.on ? command.callId : undefined
    this.config.credentials.setMuted(muted)
    this.store.setState({ muted })
    await execute(command, this.#route(), this.config.timer).catch(() => undefined)
  }

  /** Shows at once what was asked for. */
  #ask(command: Command) {
    const { pending } = this.store.getState()
    if (command.name === 'state') return this.store.setState({ statePending: command.state })
    const asked = askedBy(command)
    if (asked && 'callId' in command) {
      this.store.setState({ pending: { ...pending, [command.callId]: { ...pending[command.callId], ...asked } } })
    }
  }

  /** Takes it back after a failure. What succeeded without an answer to show stays until the stream tells it. */
  #forgetAsked(command: Command, done: boolean) {
    const { pending } = this.store.getState()
    if (command.name === 'state') return this.store.setState({ statePending: undefined })
    const asked = askedBy(command)
    if (!asked || !('callId' in command) || (done && !answersCall(command))) return
    const left = { ...pending[command.callId] }
    for (const name of Object.keys(asked) as (keyof Pending)[]) if (left[name] === asked[name]) delete left[name]
    this.store.setState({ pending: { ...pending, [command.callId]: left } })
  }

  async #negotiate(callId: string, sdpOffer: string, legId: string): Promise<string> {
    const owner = this.#route().owner(callId) ?? this.config.own
    const answer = await this.#client(owner).negotiate({ callId, sdpOffer, legId }, { timeoutMs: 2_000 })
    return answer.sdpAnswer
  }
}

/** The answer shows what was asked for. */
const answersCall = ({ name }: Command): boolean => name === 'hold' || name === 'consult' || name === 'end_consult'

function askedBy(command: Command): Pending | undefined {
  switch (command.name) {
    case 'accept':
      return { accept: true }
    case 'reject':
      return { reject: true }
    case 'hangup':
      return { hangup: true }
    case 'hold':
      return { hold: command.on }
    case 'transfer':
      return { transfer: command.to.name }
    case 'consult':
      return { consult: command.agentName }
    case 'end_consult':
      return { endConsult: true }
  }
}
