import { expect, it } from 'vitest'
import { callAddress, callFilter, listOf } from './call-filter'

const period = { from: new Date('2026-11-22T08:00:00Z'), to: new Date('2026-11-22T09:00:00Z') }

it('writes the address of exactly the calls a report counted, and reads it back', () => {
  const address = callAddress(period, { queues: ['q1', 'q2'], outcomes: ['abandoned'] })
  expect(address).toMatchObject({
    from: '2026-11-22T08:00:00.000Z',
    to: '2026-11-22T09:00:00.000Z',
    queue: 'q1,q2',
    outcome: 'abandoned',
  })
  expect(callFilter({ ...address }, period)).toMatchObject({ queueIds: ['q1', 'q2'], outcomes: ['abandoned'], queued: false })
  // Over all queues only calls that waited are counted.
  expect(callFilter({ ...callAddress(period) }, period)).toMatchObject({ queueIds: [], queued: true })
  expect(callFilter({ ...callAddress(period, { level: true }) }, period)).toMatchObject({ withinServiceLevel: true })
})

it('takes what a router made of the values', () => {
  expect(callFilter({ number: 4930, level: 1 }, period)).toMatchObject({ number: '4930', withinServiceLevel: true })
  expect(listOf(undefined)).toEqual([])
  expect(listOf('a,,b')).toEqual(['a', 'b'])
})
