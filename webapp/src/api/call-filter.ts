import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { CallFilterSchema } from './gen/trunkline/cloud/v1/calls_pb'

/**
 * The filter of calls as it stands in the address of the call list. Report figures link to exactly the calls they counted by
 * writing it; lists are separated by commas.
 */
export interface CallAddress {
  from?: string
  to?: string
  queue?: string
  agent?: string
  site?: string
  outcome?: string
  number?: string
  /** "1": answered within the service level. */
  level?: string
  /** "1": waited in a queue; times are then those of the wait, as reports count. */
  queued?: string
}

export const outcomes = ['answered', 'abandoned', 'abandoned_short', 'self_service', 'max_wait', 'failed'] as const

/** The values of a list in the address. A router may have read a single figure as a number. */
export const listOf = (value: unknown): string[] =>
  value === undefined || value === '' ? [] : String(value).split(',').filter(Boolean)

/** The address of the calls that waited in a period, ready for a link's `search`. */
export function callAddress(
  period: { from: Date; to: Date },
  more: { queues?: string[]; sites?: string[]; outcomes?: string[]; level?: boolean } = {},
): CallAddress {
  const joined = (list: string[] | undefined) => (list && list.length > 0 ? list.join(',') : undefined)
  return {
    from: period.from.toISOString(),
    to: period.to.toISOString(),
    queue: joined(more.queues),
    site: joined(more.sites),
    outcome: joined(more.outcomes),
    level: more.level ? '1' : undefined,
    queued: joined(more.queues) || more.level ? undefined : '1',
  }
}

/** The filter of the request, from the address and the period it stands for. */
export function callFilter(
  address: Record<string, unknown>,
  period: { from: Date; to: Date },
): MessageInitShape<typeof CallFilterSchema> {
  return {
    from: timestampFromDate(period.from),
    to: timestampFromDate(period.to),
    queueIds: listOf(address.queue),
    agentIds: listOf(address.agent),
    siteIds: listOf(address.site),
    outcomes: listOf(address.outcome),
    number: address.number === undefined ? '' : String(address.number),
    withinServiceLevel: String(address.level ?? '') === '1',
    queued: String(address.queued ?? '') === '1',
  }
}
