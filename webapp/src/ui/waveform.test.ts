import { expect, it } from 'vitest'
import { bars } from './waveform'

it('shows the loudest of each slice, and quiet beside loud', () => {
  expect(bars(Uint8Array.from([0, 255, 0, 0]), 2)).toEqual([1, 0])
  expect(bars(Uint8Array.from([64]), 1)[0]).toBeCloseTo(0.5, 2)
  expect(bars(Uint8Array.from([255, 0]), 4)).toEqual([1, 1, 0, 0])
  expect(bars(new Uint8Array(), 3)).toEqual([0, 0, 0])
})
