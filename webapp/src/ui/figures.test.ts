import { describe, expect, it } from 'vitest'
import { formatDuration, formatRelative } from './figures'
import { formatPhone } from './phone'

describe('figures', () => {
  it.each([
    [0, '0:00'],
    [59_999, '0:59'],
    [61_000, '1:01'],
    [3_600_000, '1:00:00'],
    [-5, '0:00'],
  ])('%i ms are %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

  it('say how long ago, and take a clock a little ahead for now', () => {
    const now = Date.UTC(2026, 0, 1)
    expect(formatRelative(new Date(now - 180_000), now, 'en')).toBe('3 min. ago')
    expect(formatRelative(new Date(now - 180_000), now, 'zh-Hans')).toBe('3分钟前')
    expect(formatRelative(new Date(now + 3_000), now, 'en')).toBe('now')
    expect(formatRelative(new Date(now + 86_400_000 * 3), now, 'en')).toBe('in 3 days')
  })

  it('group numbers, and leave what is none', () => {
    expect(formatPhone('+861081234567')).toBe('+86 10 8123 4567')
    expect(formatPhone('1001')).toBe('1001')
  })
})
