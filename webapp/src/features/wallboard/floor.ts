/**
 * The floor of all sites as one: what the wallboard shows, from what each site measured. A site that is cut off or silent does
 * not count and is named; where no site counts, the last figures stay, marked stale. Never a zero that nobody measured. Pure.
 */
import type { Floor, FloorAgent, FloorSite } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { millis } from '@/api/time'

/** Milliseconds after which a measurement is old: two missed beats of the cloud's stream. */
export const staleAfter = 10_000

export interface QueueTile {
  id: string
  name: string
  waiting: number
  /** Milliseconds of server time. */
  longestSince?: number
  offered: number
  answered: number
  inLevel: number
  abandoned: number
  abandonedShort: number
  failed: number
  /** When the oldest measurement in it was made. */
  at: number
  stale: boolean
  /** Sites that serve the queue but are not counted in. */
  without: string[]
  /** Ids of the sites counted in, where some are not; empty is all. */
  only: string[]
}

export interface AgentLine {
  id: string
  name: string
  /** Lower case, without prefix: "talking". */
  state: string
  reason: string
  since?: number
  site: string
  stale: boolean
}

export interface SiteLine {
  id: string
  name: string
  at: number
  connected: boolean
  stale: boolean
  calls: number
}

export interface FloorView {
  queues: QueueTile[]
  agents: AgentLine[]
  sites: SiteLine[]
}

/** alive: the stream from the cloud is. now: server time. */
export function floorView(floor: Pick<Floor, 'sites'> | undefined, now: number, alive: boolean): FloorView {
  const sites = (floor?.sites ?? []).map((site) => ({ site, line: siteLine(site, now, alive) }))
  return {
    queues: queues(sites),
    agents: sites
      .flatMap(({ site, line }) => site.agents.map((agent) => agentLine(agent, line)))
      .sort((a, b) => a.name.localeCompare(b.name)),
    sites: sites.map(({ line }) => line).sort((a, b) => a.name.localeCompare(b.name)),
  }
}

function siteLine(site: FloorSite, now: number, alive: boolean): SiteLine {
  const at = millis(site.at) ?? 0
  const stale = !alive || !site.connected || now - at > staleAfter
  return { id: site.siteId, name: site.siteName, at, connected: site.connected, stale, calls: site.callsActive }
}

function agentLine(agent: FloorAgent, site: SiteLine): AgentLine {
  const told = agent.state.replace(/^AGENT_STATE_/, '').toLowerCase()
  // The call is on its way: it rings within a moment.
  const state = told === 'reserved' ? 'ringing' : told
  return {
    id: agent.agentId,
    name: agent.name,
    state,
    reason: agent.reason,
    since: millis(agent.since),
    site: site.name,
    stale: site.stale,
  }
}

function queues(sites: { site: FloorSite; line: SiteLine }[]): QueueTile[] {
  const ids = new Set(sites.flatMap(({ site }) => site.queues.map(({ queueId }) => queueId)))
  return [...ids].map((id) => tile(id, sites)).sort((a, b) => a.name.localeCompare(b.name))
}

function tile(id: string, sites: { site: FloorSite; line: SiteLine }[]): QueueTile {
  const all = sites.flatMap(({ site, line }) =>
    site.queues.filter(({ queueId }) => queueId === id).map((queue) => ({ queue, line })),
  )
  const fresh = all.filter(({ line }) => !line.stale)
  const counted = fresh.length > 0 ? fresh : all
  const sum = (of: (queue: (typeof all)[number]['queue']) => number) => counted.reduce((total, { queue }) => total + of(queue), 0)
  const since = counted
    .flatMap(({ queue }) => (queue.waiting > 0 ? [millis(queue.longestSince)] : []))
    .filter((at) => at !== undefined)
  return {
    id,
    name: all[0]?.queue.queueName ?? '',
    waiting: sum((queue) => queue.waiting),
    longestSince: since.length > 0 ? Math.min(...since) : undefined,
    offered: sum((queue) => queue.offered),
    answered: sum((queue) => queue.answered),
    inLevel: sum((queue) => queue.answeredInLevel),
    abandoned: sum((queue) => queue.abandoned),
    abandonedShort: sum((queue) => queue.abandonedShort),
    failed: sum((queue) => queue.failed),
    at: Math.min(...counted.map(({ line }) => line.at)),
    stale: fresh.length === 0,
    without: fresh.length === 0 ? [] : all.filter(({ line }) => line.stale).map(({ line }) => line.name),
    only: counted.length < all.length ? counted.map(({ line }) => line.id) : [],
  }
}

/**
 * Per cent answered in time of all that were offered, as in the reports: those who gave up at once do not count, and those who
 * still wait do not count yet. Undefined while nothing counts.
 */
export function serviceLevel(
  tile: Pick<QueueTile, 'offered' | 'waiting' | 'answered' | 'abandoned' | 'abandonedShort' | 'failed' | 'inLevel'>,
): number | undefined {
  // A call of yesterday that was answered today was offered yesterday: never count fewer than were decided.
  const decided = Math.max(tile.offered - tile.waiting - tile.abandonedShort, tile.answered + tile.abandoned + tile.failed)
  return decided > 0 ? Math.min(100, (100 * tile.inLevel) / decided) : undefined
}

/** The states an agent can be in, in the order of the strip. */
export const shownStates = ['ready', 'ringing', 'talking', 'held', 'wrap_up', 'not_ready', 'offline'] as const

const order = ['ringing', 'talking', 'held', 'wrap_up', 'ready', 'not_ready', 'offline']
/** Where a state stands: who has a call first, who is away last. */
export const orderOf = ({ state }: Pick<AgentLine, 'state'>): number => order.indexOf(state)
export const inOrder = (agents: AgentLine[]): AgentLine[] => agents.toSorted((a, b) => orderOf(a) - orderOf(b))

/** Agents by state. */
export function byState(agents: AgentLine[]): Record<(typeof shownStates)[number], number> {
  const counts = Object.fromEntries(shownStates.map((state) => [state, 0])) as Record<(typeof shownStates)[number], number>
  for (const { state, stale } of agents) {
    if (stale) continue
    if (state in counts) counts[state as keyof typeof counts]++
  }
  return counts
}
