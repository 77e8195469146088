/** Figures of several queues as one, and the intervals of a period, also those in which nothing happened. Pure. */
import type { QueueFigures, QueueReportRow } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { millis } from '@/api/time'
import { dayOf, midnight, zoneOffset } from './period'

export type Interval = '15m' | '1h' | '1d'

/** One interval over the chosen queues. Undefined figures: nothing counts there, which is not zero. */
export interface Slot {
  from: number
  to: number
  offered?: number
  answered?: number
  abandoned?: number
  /** Per cent. */
  level?: number
}

const stepOf = { '15m': 900_000, '1h': 3_600_000 }
const days = (period: { from: Date; to: Date }): number => (period.to.getTime() - period.from.getTime()) / 86_400_000

/** Intervals that make sense for a period, finest first. */
export function intervalsFor(period: { from: Date; to: Date }): Interval[] {
  const length = days(period)
  if (length <= 2.1) return ['15m', '1h', '1d']
  return length <= 31.1 ? ['1h', '1d'] : ['1d']
}

export const usualInterval = (period: { from: Date; to: Date }): Interval => (days(period) <= 2.1 ? '1h' : '1d')

/** Answered in time of all offered; those who gave up at once do not count. */
export function levelOf(figures: Pick<QueueFigures, 'offered' | 'abandonedShort' | 'answeredInLevel'>[]): number | undefined {
  const sum = (of: (f: (typeof figures)[number]) => bigint) => figures.reduce((total, f) => total + Number(of(f)), 0)
  const counted = sum((f) => f.offered - f.abandonedShort)
  return counted > 0 ? (100 * sum((f) => f.answeredInLevel)) / counted : undefined
}

/** The intervals up to now in order, each with the sum of the rows that began in it. */
export function slots(
  rows: QueueReportRow[],
  period: { from: Date; to: Date },
  interval: Interval,
  zone: string,
  now = Date.now(),
): Slot[] {
  const byStart = new Map<number, QueueFigures[]>()
  for (const row of rows) {
    const at = millis(row.from)
    if (at !== undefined && row.figures) byStart.set(at, [...(byStart.get(at) ?? []), row.figures])
  }
  return starts(period, interval, zone, now).map(({ from, to }) => {
    const figures = byStart.get(from)
    if (!figures) return { from, to }
    const sum = (of: (f: QueueFigures) => bigint) => figures.reduce((total, f) => total + Number(of(f)), 0)
    return {
      from,
      to,
      offered: sum((f) => f.offered),
      answered: sum((f) => f.answered),
      abandoned: sum((f) => f.abandoned),
      level: levelOf(figures),
    }
  })
}

function starts(period: { from: Date; to: Date }, interval: Interval, zone: string, now: number): { from: number; to: number }[] {
  const end = Math.min(period.to.getTime(), now)
  const all: { from: number; to: number }[] = []
  if (interval === '1d') {
    const first = dayOf(period.from.getTime(), zone)
    for (let i = 0; midnight(first, zone, i).getTime() < end; i++) {
      all.push({ from: midnight(first, zone, i).getTime(), to: midnight(first, zone, i + 1).getTime() })
    }
    return all
  }
  const step = stepOf[interval]
  const offset = zoneOffset(period.from.getTime(), zone)
  const first = Math.floor((period.from.getTime() + offset) / step) * step - offset
  for (let at = first; at < end; at += step) all.push({ from: at, to: at + step })
  return all
}
