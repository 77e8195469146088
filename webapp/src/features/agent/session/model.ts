/**
 * What the desktop knows, in plain values: times are milliseconds of site time, states are words. Plain values cross from tab to
 * tab as they are, and views and tests need no protobuf.
 */
import type { Timestamp } from '@bufbuild/protobuf/wkt'
import * as pb from '@/api/gen/trunkline/agent/v1/agent_pb'

export type AgentState = 'offline' | 'not_ready' | 'ready' | 'reserved' | 'ringing' | 'talking' | 'held' | 'wrap_up'
export type CallState = 'offered' | 'talking' | 'held' | 'wrap_up' | 'ended'

export interface AgentView {
  id: string
  name: string
  state: AgentState
  since: number
  /** Break reason id, or "no_answer", "connection_lost", "signed_in", "supervisor". */
  reason: string
  callId: string
  /** Asked for during a call, entered after it. */
  nextState?: AgentState
  nextReason: string
  queueIds: string[]
}

export interface CallView {
  id: string
  state: CallState
  /** E.164, empty when withheld. */
  caller: string
  callerName: string
  /** From the company's own page, to try it: without numbers. */
  test: boolean
  called: string
  queueId: string
  queueName: string
  enqueuedAt?: number
  offeredAt?: number
  offerDeadline?: number
  talkingSince?: number
  endedAt?: number
  wrapUpDeadline?: number
  movedAt?: number
  menuPath: string[]
  muted: boolean
  held: boolean
  recording: boolean
  nodeUrl: string
  rev: number
  endReason: string
  wrapUpCode: string
  wrapUpNote: string
  /** Who passed the caller on last; empty when nobody did. */
  transferredBy: string
  consult?: ConsultView
}

/** A colleague who is asked about a call, or the one who asks. */
export interface ConsultView {
  agentId: string
  name: string
  /** talking: they hear each other. waiting: the agent is with the caller. ended: the caller is still held. */
  state: 'ringing' | 'talking' | 'waiting' | 'ended'
  since?: number
  /** This desktop's agent is asked; the call is the other's. */
  asked: boolean
  /** Once ended: "left", "rejected", "no_answer", "agent_lost", "call_lost". */
  outcome: string
}

/** Counted since midnight of the tenant's zone; durations in milliseconds. */
export interface StatsView {
  since?: number
  /** Site time up to which the state in progress is counted. */
  at: number
  handled: number
  missed: number
  talk: number
  hold: number
  wrapUp: number
  ready: number
  notReady: number
}

export interface SiteModeView {
  cloudConnected: boolean
  cloudSeenAt?: number
  recordsWaiting: number
}

export interface QueueView {
  id: string
  name: string
  waiting: number
  longestSince?: number
}

/** A queue a caller can be passed to. */
export interface TargetQueueView extends QueueView {
  /** Agents of it who are ready now. */
  ready: number
}

/** An agent a caller can be passed to, if ringable. */
export interface TargetAgentView {
  id: string
  name: string
  state: AgentState
  since: number
  ringable: boolean
}

/** A number outside, as it would be dialled; why it cannot be is empty when it can. */
export interface TargetNumberView {
  number: string
  callable: boolean
  problem: string
}

export interface TargetsView {
  queues: TargetQueueView[]
  agents: TargetAgentView[]
  /** When the question was a number. */
  number?: TargetNumberView
  /** More match than are listed. */
  more: boolean
}

export interface NodeView {
  name: string
  url: string
  up: boolean
}

export interface Choice {
  id: string
  name: string
}

export interface IceServerView {
  urls: string[]
  username: string
  credential: string
}

/** Everything one node last told; the unit of a snapshot. */
export interface SiteView {
  agent?: AgentView
  calls: CallView[]
  stats?: StatsView
  siteMode?: SiteModeView
  nodes: NodeView[]
  breakReasons: Choice[]
  wrapUpCodes: Choice[]
  queues: QueueView[]
  iceServers: IceServerView[]
}

/** Milliseconds with the fraction kept: revisions of the agent are told apart by it. */
export function millis(at: Timestamp | undefined): number | undefined {
  return at ? Number(at.seconds) * 1000 + at.nanos / 1e6 : undefined
}

const agentStates: Record<pb.AgentState, AgentState | undefined> = {
  [pb.AgentState.UNSPECIFIED]: undefined,
  [pb.AgentState.OFFLINE]: 'offline',
  [pb.AgentState.NOT_READY]: 'not_ready',
  [pb.AgentState.READY]: 'ready',
  [pb.AgentState.RESERVED]: 'reserved',
  [pb.AgentState.RINGING]: 'ringing',
  [pb.AgentState.TALKING]: 'talking',
  [pb.AgentState.HELD]: 'held',
  [pb.AgentState.WRAP_UP]: 'wrap_up',
}

const callStates: Record<pb.CallState, CallState> = {
  [pb.CallState.UNSPECIFIED]: 'ended',
  [pb.CallState.OFFERED]: 'offered',
  [pb.CallState.TALKING]: 'talking',
  [pb.CallState.HELD]: 'held',
  [pb.CallState.WRAP_UP]: 'wrap_up',
  [pb.CallState.ENDED]: 'ended',
}

export function agentView(m: pb.Agent): AgentView {
  return {
    id: m.id,
    name: m.name,
    state: agentStates[m.state] ?? 'offline',
    since: millis(m.since) ?? 0,
    reason: m.reason,
    callId: m.callId,
    nextState: agentStates[m.nextState],
    nextReason: m.nextReason,
    queueIds: [...m.queueIds],
  }
}

export function callView(m: pb.Call): CallView {
  return {
    id: m.id,
    state: callStates[m.state] ?? 'ended',
    caller: m.caller,
    callerName: m.callerName,
    test: m.test,
    called: m.called,
    queueId: m.queueId,
    queueName: m.queueName,
    enqueuedAt: millis(m.enqueuedAt),
    offeredAt: millis(m.offeredAt),
    offerDeadline: millis(m.offerDeadline),
    talkingSince: millis(m.talkingSince),
    endedAt: millis(m.endedAt),
    wrapUpDeadline: millis(m.wrapUpDeadline),
    movedAt: millis(m.movedAt),
    menuPath: [...m.menuPath],
    muted: m.muted,
    held: m.held,
    recording: m.recording,
    nodeUrl: origin(m.nodeUrl),
    rev: Number(m.rev),
    endReason: m.endReason,
    wrapUpCode: m.wrapUpCode,
    wrapUpNote: m.wrapUpNote,
    transferredBy: m.transferredBy,
    consult: m.consult && consultView(m.consult),
  }
}

const consultStates: Record<pb.ConsultState, ConsultView['state']> = {
  [pb.ConsultState.UNSPECIFIED]: 'ended',
  [pb.ConsultState.RINGING]: 'ringing',
  [pb.ConsultState.TALKING]: 'talking',
  [pb.ConsultState.WAITING]: 'waiting',
  [pb.ConsultState.ENDED]: 'ended',
}

const consultView = (m: pb.Consult): ConsultView => ({
  agentId: m.agentId,
  name: m.name,
  state: consultStates[m.state] ?? 'ended',
  since: millis(m.since),
  asked: m.asked,
  outcome: m.outcome,
})

export function statsView(m: pb.Stats, at: number): StatsView {
  return {
    since: millis(m.since),
    at,
    handled: m.handled,
    missed: m.missed,
    talk: Number(m.talkMs),
    hold: Number(m.holdMs),
    wrapUp: Number(m.wrapUpMs),
    ready: Number(m.readyMs),
    notReady: Number(m.notReadyMs),
  }
}

const counted: Partial<Record<AgentState, 'ready' | 'notReady' | 'talk' | 'hold' | 'wrapUp'>> = {
  ready: 'ready',
  reserved: 'ready',
  ringing: 'ready',
  not_ready: 'notReady',
  talking: 'talk',
  held: 'hold',
  wrap_up: 'wrapUp',
}

/** The day so far: what the site counted, and the state in progress since then. */
export function statsNow(stats: StatsView, agent: AgentView, now: number): StatsView {
  const name = counted[agent.state]
  const running = Math.max(0, now - Math.max(stats.at, agent.since))
  return name ? { ...stats, [name]: stats[name] + running } : stats
}

export function siteModeView(m: pb.SiteMode): SiteModeView {
  return { cloudConnected: m.cloudConnected, cloudSeenAt: millis(m.cloudSeenAt), recordsWaiting: Number(m.recordsWaiting) }
}

export function queueViews(m: pb.Queues | undefined): QueueView[] {
  return (m?.queues ?? []).map((q) => ({ id: q.id, name: q.name, waiting: q.waiting, longestSince: millis(q.longestSince) }))
}

export function targetsView(m: pb.ListTargetsResponse): TargetsView {
  return {
    queues: m.queues.map((q) => ({
      id: q.id,
      name: q.name,
      waiting: q.waiting,
      ready: q.ready,
      longestSince: millis(q.longestSince),
    })),
    agents: m.agents.map((a) => ({
      id: a.id,
      name: a.name,
      state: agentStates[a.state] ?? 'offline',
      since: millis(a.since) ?? 0,
      ringable: a.ringable,
    })),
    number: m.number && { number: m.number.number, callable: m.number.callable, problem: m.number.problem },
    more: m.more,
  }
}

export function nodeViews(nodes: pb.Node[]): NodeView[] {
  return nodes.map((n) => ({ name: n.name, url: origin(n.url), up: n.up }))
}

export function siteView(m: pb.Snapshot, at: number): SiteView {
  return {
    agent: m.agent && agentView(m.agent),
    calls: m.calls.map(callView),
    stats: m.stats && statsView(m.stats, at),
    siteMode: m.siteMode && siteModeView(m.siteMode),
    nodes: nodeViews(m.nodes),
    breakReasons: m.breakReasons.map(({ id, name }) => ({ id, name })),
    wrapUpCodes: m.wrapUpCodes.map(({ id, name }) => ({ id, name })),
    queues: queueViews(m.queues),
    iceServers: iceServerViews(m.iceServers),
  }
}

export const iceServerViews = (servers: pb.IceServer[]): IceServerView[] =>
  servers.map(({ urls, username, credential }) => ({ urls: [...urls], username, credential }))

export const emptySite: SiteView = { calls: [], nodes: [], breakReasons: [], wrapUpCodes: [], queues: [], iceServers: [] }

/** The scheme and host of a base URL, so that the same node is always written the same way. */
export function origin(url: string): string {
  return url.replace(/\/+$/, '')
}
