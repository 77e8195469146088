import { type Timestamp, timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt'

export type { Timestamp }

/** The date of a timestamp; undefined for one that was never set. */
export const at = (stamp: Timestamp | undefined): Date | undefined =>
  stamp && stamp.seconds > 0n ? timestampDate(stamp) : undefined
export const millis = (stamp: Timestamp | undefined): number | undefined => at(stamp)?.getTime()
export const fromDate = timestampFromDate
