import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { QueueReportRowSchema } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { intervalsFor, levelOf, slots, usualInterval } from './intervals'

const at = (text: string) => new Date(text)
const row = (
  from: string,
  figures: { offered: bigint; answered: bigint; answeredInLevel: bigint; abandonedShort?: bigint },
  queueId = 'q1',
) => create(QueueReportRowSchema, { from: timestampFromDate(at(from)), queueId, figures })

describe('intervals', () => {
  it('sums queues and leaves empty intervals empty', () => {
    const period = { from: at('2026-11-22T00:00:00Z'), to: at('2026-11-23T00:00:00Z') }
    const rows = [
      row('2026-11-22T01:00:00Z', { offered: 6n, answered: 4n, answeredInLevel: 3n, abandonedShort: 1n }),
      row('2026-11-22T01:00:00Z', { offered: 5n, answered: 5n, answeredInLevel: 5n }, 'q2'),
    ]
    const all = slots(rows, period, '1h', 'UTC', Date.parse('2026-11-22T02:30:00Z'))
    expect(all.map(({ offered, answered, level }) => [offered, answered, level])).toEqual([
      [undefined, undefined, undefined],
      [11, 9, 80],
      [undefined, undefined, undefined],
    ])
  })

  it('begin with the day of the zone, also where it is not a whole hour away, and when clocks change', () => {
    const india = { from: at('2026-11-21T18:30:00Z'), to: at('2026-11-22T18:30:00Z') }
    const found = slots(
      [row('2026-11-21T19:30:00Z', { offered: 1n, answered: 1n, answeredInLevel: 1n })],
      india,
      '1h',
      'Asia/Kolkata',
      Date.parse('2026-12-01'),
    )
    expect(found).toHaveLength(24)
    expect(found[1]).toMatchObject({ offered: 1 })
    const berlin = { from: at('2026-10-23T22:00:00Z'), to: at('2026-10-26T23:00:00Z') }
    const lengths = slots([], berlin, '1d', 'Europe/Berlin', Date.parse('2026-12-01')).map(
      ({ from, to }) => (to - from) / 3_600_000,
    )
    expect(lengths).toEqual([24, 25, 24])
  })

  it('fit the period', () => {
    const period = (length: number) => ({ from: new Date(0), to: new Date(length * 86_400_000) })
    expect(usualInterval(period(1))).toBe('1h')
    expect(usualInterval(period(7))).toBe('1d')
    expect(intervalsFor(period(1))).toContain('15m')
    expect(intervalsFor(period(30))).toEqual(['1h', '1d'])
    expect(intervalsFor(period(90))).toEqual(['1d'])
  })

  it('have no level where nothing counts', () => {
    expect(levelOf([{ offered: 2n, abandonedShort: 2n, answeredInLevel: 0n }])).toBeUndefined()
  })
})
