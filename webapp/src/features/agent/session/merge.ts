/**
 * Two nodes tell the same story, each a little late in its own way. Every source keeps a view of its own; what is shown is
 * merged from the views: of a call what is furthest in its story wins, of the agent the latest change of state, of all else the source
 * heard last. A source that died no longer counts once another is alive. Pure.
 */
import type * as pb from '@/api/gen/trunkline/agent/v1/agent_pb'
import {
  agentView,
  type CallView,
  callView,
  emptySite,
  iceServerViews,
  nodeViews,
  queueViews,
  type SiteView,
  siteModeView,
  siteView,
  statsView,
} from './model'

export interface Source extends SiteView {
  url: string
  alive: boolean
  /** A snapshot has arrived since the stream was last opened without a place to resume from. */
  known: boolean
  /** Order in which the sources were heard; the higher the later. */
  heard: number
}

export interface Merge {
  sources: Record<string, Source>
  /** Where a call was when it ended, so that a late node does not bring it back. */
  ended: Record<string, Place>
  tick: number
}

/**
 * A call's place in its own story. A wrap-up counts revisions of its own: it comes after the talk it is of, and before what begins
 * later, when the caller was passed on and comes back.
 */
export interface Place {
  wrapUp: boolean
  rev: number
  /** Site time at which the offer or the talk began. */
  since: number
}

function placeOf({ state, rev, offeredAt, talkingSince }: CallView): Place {
  if (state === 'wrap_up') return { wrapUp: true, rev, since: talkingSince ?? Number.POSITIVE_INFINITY }
  return { wrapUp: false, rev, since: (state === 'offered' ? offeredAt : talkingSince) ?? 0 }
}

function before(a: Place, b: Place): boolean {
  if (a.wrapUp === b.wrapUp) return a.rev < b.rev
  return a.wrapUp ? a.since < b.since : b.since >= a.since
}

export const emptyMerge: Merge = { sources: {}, ended: {}, tick: 0 }

/** As many ended calls are remembered as could possibly be told late. */
const endedKept = 50

type Body = pb.AgentEvent['body']

/** Takes one event of the node at url, stamped with site time. Heartbeats and SignedOut change no view. */
export function take(merge: Merge, url: string, body: Body, at = 0): Merge {
  const tick = merge.tick + 1
  const source = { ...(merge.sources[url] ?? { ...emptySite, url, known: false }), alive: true, heard: tick }
  let ended = merge.ended
  switch (body.case) {
    case 'snapshot':
      Object.assign(source, siteView(body.value, at), { known: true })
      for (const call of source.calls) if (call.state === 'ended') ended = remember(ended, call.id, placeOf(call))
      source.calls = source.calls.filter((call) => call.state !== 'ended')
      break
    case 'agent':
      source.agent = agentView(body.value)
      break
    case 'call': {
      const call = callView(body.value)
      const held = source.calls.find(({ id }) => id === call.id)
      const others = source.calls.filter(({ id }) => id !== call.id)
      if (call.state === 'ended') {
        source.calls = others
        // The end itself does not say whether it is that of the call or of its wrap-up.
        ended = remember(ended, call.id, { ...placeOf(held ?? call), rev: call.rev })
      } else if (!held || !before(placeOf(call), placeOf(held))) {
        source.calls = [...others, call]
      }
      break
    }
    case 'stats':
      source.stats = statsView(body.value, at)
      break
    case 'siteMode':
      source.siteMode = siteModeView(body.value)
      break
    case 'queues':
      source.queues = queueViews(body.value)
      break
    case 'iceServers':
      source.iceServers = iceServerViews(body.value.servers)
      break
    default:
      return merge.sources[url]?.alive ? merge : { ...merge, tick, sources: { ...merge.sources, [url]: source } }
  }
  return { tick, ended, sources: { ...merge.sources, [url]: source } }
}

/** The answer to a command is news as well: it may be ahead of both streams. */
export function takeAnswer(merge: Merge, answer: { agent?: pb.Agent; call?: pb.Call; nodes?: pb.Node[] }): Merge {
  const sources = { ...merge.sources }
  for (const [url, source] of Object.entries(sources)) {
    const next = { ...source }
    if (answer.agent) {
      const agent = agentView(answer.agent)
      if (!next.agent || agent.since >= next.agent.since) next.agent = agent
    }
    if (answer.call) {
      const call = callView(answer.call)
      const held = next.calls.find(({ id }) => id === call.id)
      if (held && !before(placeOf(call), placeOf(held)) && call.state !== 'ended')
        next.calls = [...next.calls.filter(({ id }) => id !== call.id), call]
    }
    if (answer.nodes) next.nodes = nodeViews(answer.nodes)
    sources[url] = next
  }
  return { ...merge, sources }
}

/** The stream to url is silent or gone. Its view is kept: with no other source it is still the best there is. */
export function lose(merge: Merge, url: string): Merge {
  const source = merge.sources[url]
  return source?.alive ? { ...merge, sources: { ...merge.sources, [url]: { ...source, alive: false } } } : merge
}

/** What the two nodes tell, as one. */
export function merged({ sources, ended }: Merge): SiteView {
  const known = Object.values(sources).filter((source) => source.known)
  const alive = known.filter((source) => source.alive)
  const counted = (alive.length > 0 ? alive : known).toSorted((a, b) => a.heard - b.heard)
  const view: SiteView = { ...emptySite }
  const calls = new Map<string, CallView>()
  for (const source of counted) {
    if (source.agent && (!view.agent || source.agent.since >= view.agent.since)) view.agent = source.agent
    for (const call of source.calls) {
      const other = calls.get(call.id)
      const over = ended[call.id]
      const late = over !== undefined && !before(over, placeOf(call))
      if (!late && (!other || !before(placeOf(call), placeOf(other)))) calls.set(call.id, call)
    }
    if (source.stats && (!view.stats || source.stats.handled >= view.stats.handled || source.stats.since !== view.stats.since))
      view.stats = source.stats
    // The cloud is reached when any node reaches it; the one that does also knows what waits.
    if (source.siteMode && !(view.siteMode?.cloudConnected && !source.siteMode.cloudConnected)) view.siteMode = source.siteMode
    if (source.nodes.length > 0) view.nodes = source.nodes
    view.breakReasons = source.breakReasons
    view.wrapUpCodes = source.wrapUpCodes
    view.queues = source.queues
    if (source.iceServers.length > 0) view.iceServers = source.iceServers
  }
  view.calls = [...calls.values()].sort((a, b) => (a.offeredAt ?? 0) - (b.offeredAt ?? 0) || a.id.localeCompare(b.id))
  return view
}

function remember(ended: Record<string, Place>, callId: string, place: Place): Record<string, Place> {
  const known = ended[callId]
  const entries = Object.entries({ ...ended, [callId]: known && before(place, known) ? known : place })
  return Object.fromEntries(entries.slice(-endedKept))
}
