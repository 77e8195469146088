import { expect, it } from 'vitest'
import { between, read } from './quality'

const stats = (packetsReceived: number, packetsLost: number, jitter: number, rtt: number) => [
  { type: 'inbound-rtp', packetsReceived, packetsLost, jitter },
  { type: 'candidate-pair', nominated: false, currentRoundTripTime: 9 },
  { type: 'candidate-pair', nominated: true, currentRoundTripTime: rtt },
]
const reading = (...of: Parameters<typeof stats>) => {
  const found = read(stats(...of))
  if (!found) throw new Error('nothing read')
  return found
}

it('grades the last seconds, not the whole call', () => {
  expect(between(undefined, reading(100, 0, 0.002, 0.04))).toEqual({ loss: 0, jitter: 2, rtt: 40, grade: 'good' })
  expect(between(reading(1000, 100, 0.002, 0.04), reading(1100, 100, 0.002, 0.04))?.grade).toBe('good')
  expect(between(reading(1000, 0, 0.002, 0.04), reading(1098, 2, 0.002, 0.04))).toMatchObject({ loss: 2, grade: 'fair' })
  expect(between(reading(1000, 0, 0.002, 0.04), reading(1090, 10, 0.002, 0.04))?.grade).toBe('poor')
  expect(between(undefined, reading(100, 0, 0.045, 0.04))?.grade).toBe('fair')
  expect(between(undefined, reading(100, 0, 0, 0.5))?.grade).toBe('poor')
})

it('says nothing where nothing arrived', () => {
  expect(read([{ type: 'transport' }])).toBeUndefined()
  expect(between(reading(5, 0, 0, 0), reading(5, 0, 0, 0))).toBeUndefined()
})
