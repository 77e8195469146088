import { describe, expect, it } from 'vitest'
import { dayOf, midnight, periodKind, periodOf } from './period'

const iso = ({ from, to }: { from: Date; to: Date }) => [from.toISOString(), to.toISOString()]
const now = Date.parse('2026-11-22T17:30:00Z')

describe('a period', () => {
  it('begins and ends at midnight of the zone', () => {
    expect(dayOf(now, 'Asia/Shanghai')).toBe('2026-11-23')
    expect(iso(periodOf({}, 'Asia/Shanghai', now))).toEqual(['2026-11-22T16:00:00.000Z', '2026-11-23T16:00:00.000Z'])
    expect(iso(periodOf({ period: 'yesterday' }, 'UTC', now))).toEqual(['2026-11-21T00:00:00.000Z', '2026-11-22T00:00:00.000Z'])
    expect(iso(periodOf({ period: 'week' }, 'America/New_York', now))).toEqual([
      '2026-11-16T05:00:00.000Z',
      '2026-11-23T05:00:00.000Z',
    ])
  })

  it('has 23 or 25 hours when clocks change', () => {
    const hours = (day: string, zone: string) => (midnight(day, zone, 1).getTime() - midnight(day, zone).getTime()) / 3_600_000
    expect(hours('2026-03-29', 'Europe/Berlin')).toBe(23)
    expect(hours('2026-10-25', 'Europe/Berlin')).toBe(25)
    expect(hours('2026-10-25', 'UTC')).toBe(24)
  })

  it('takes days inclusive and instants as they are', () => {
    expect(iso(periodOf({ from: '2026-11-01', to: '2026-11-02' }, 'UTC', now))).toEqual([
      '2026-11-01T00:00:00.000Z',
      '2026-11-03T00:00:00.000Z',
    ])
    const instants = { from: '2026-11-22T08:15:00.000Z', to: '2026-11-22T08:30:00.000Z' }
    expect(iso(periodOf(instants, 'Asia/Tokyo', now))).toEqual([instants.from, instants.to])
    expect(periodKind(instants)).toBe('days')
  })

  it('is today when it cannot be read', () => {
    const today = iso(periodOf({}, 'UTC', now))
    expect(iso(periodOf({ from: 'x', to: 'y' }, 'UTC', now))).toEqual(today)
    expect(iso(periodOf({ from: '2026-11-03', to: '2026-11-01' }, 'UTC', now))).toEqual(today)
    expect(iso(periodOf({ period: 'soon' }, 'UTC', now))).toEqual(today)
  })
})
