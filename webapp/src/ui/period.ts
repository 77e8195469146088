/**
 * Periods of days in a zone. Reports and lists speak of days as the company counts them, so midnight is that of its zone, not of
 * the reader's. Periods stand in the address bar: a name, or two days, or two instants for the calls behind one interval.
 */
export const periodNames = ['today', 'yesterday', 'week', 'month'] as const
export type PeriodName = (typeof periodNames)[number]

export interface Period {
  /** Half open: from is in, to is not. */
  from: Date
  to: Date
}

/** Milliseconds of local time minus UTC at that moment. */
export function zoneOffset(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at)
  const of = (type: string) => Number(parts.find((part) => part.type === type)?.value)
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - Math.floor(at / 1000) * 1000
}

/** "2026-11-22" of that moment in the zone. */
export function dayOf(at: number, zone: string): string {
  return new Date(at + zoneOffset(at, zone)).toISOString().slice(0, 10)
}

/** Midnight at the start of the day, `add` days later. Where clocks skip midnight, the first moment of the day. */
export function midnight(day: string, zone: string, add = 0): Date {
  const wall = Date.parse(`${day}T00:00:00Z`) + add * 86_400_000
  const first = wall - zoneOffset(wall, zone)
  // The offset at midnight itself may be another than at the same wall time in UTC.
  return new Date(wall - zoneOffset(first, zone))
}

/** The period of an address. What cannot be read is today. Days are inclusive, instants are not. */
export function periodOf(values: Record<string, unknown>, zone: string, now = Date.now()): Period {
  const [from, to] = [text(values.from), text(values.to)]
  if (from && to) {
    const period =
      isDay(from) && isDay(to)
        ? { from: midnight(from, zone), to: midnight(to, zone, 1) }
        : { from: new Date(from), to: new Date(to) }
    if (period.from < period.to) return period
  }
  const today = dayOf(now, zone)
  switch (text(values.period)) {
    case 'yesterday':
      return { from: midnight(today, zone, -1), to: midnight(today, zone) }
    case 'week':
      return { from: midnight(today, zone, -6), to: midnight(today, zone, 1) }
    case 'month':
      return { from: midnight(today, zone, -29), to: midnight(today, zone, 1) }
    default:
      return { from: midnight(today, zone), to: midnight(today, zone, 1) }
  }
}

/** Which of the names an address means, or that it names days or instants. */
export function periodKind(values: Record<string, unknown>): PeriodName | 'days' {
  if (text(values.from) && text(values.to)) return 'days'
  const name = text(values.period) as PeriodName
  return periodNames.includes(name) ? name : 'today'
}

export const thisZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const isDay = (value: string): boolean => /^\d{4}-\d\d-\d\d$/.test(value)
