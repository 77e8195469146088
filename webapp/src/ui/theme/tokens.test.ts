import { describe, expect, it } from 'vitest'
import { dark, light, type SchemeTokens } from './tokens'

/** WCAG 2.2 contrast of two #rrggbb colours. */
function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p) as [number, number]
  return (x + 0.05) / (y + 0.05)
}

function luminance(hex: string): number {
  const channel = (at: number) => {
    const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

function textPairs(s: SchemeTokens): [name: string, text: string, ground: string][] {
  const grounds = { page: s.page, sunken: s.sunken, raised: s.raised, hover: s.hover }
  const pairs: [string, string, string][] = []
  for (const [name, ground] of Object.entries(grounds)) {
    for (const text of ['text', 'text2', 'text3', 'accentText'] as const) pairs.push([`${text} on ${name}`, s[text], ground])
  }
  pairs.push(['text2 on selected', s.text2, s.selected], ['text on selected', s.text, s.selected])
  pairs.push(['accentText on selected', s.accentText, s.selected], ['accentText on accentGround', s.accentText, s.accentGround])
  pairs.push(['onAccent', s.onAccent, s.accent], ['onAccent hovered', s.onAccent, s.accentHover])
  pairs.push(['onDanger', s.onDanger, s.danger], ['onDanger hovered', s.onDanger, s.dangerHover])
  for (const [tone, parts] of Object.entries(s.tones)) {
    pairs.push(
      [`${tone} on its ground`, parts.text, parts.ground],
      [`${tone} on page`, parts.text, s.page],
      [`${tone} on sunken`, parts.text, s.sunken],
    )
    pairs.push([`text on ${tone}`, s.text, parts.ground], [`text2 on ${tone}`, s.text2, parts.ground])
  }
  return pairs
}

/** Edges of controls, focus, bars and lines of charts: 3:1 against the page. */
const shapePairs = (s: SchemeTokens): [string, string, string][] => [
  ['control', s.control, s.page],
  ['focus', s.focus, s.page],
  ['focus on sunken', s.focus, s.sunken],
  ...Object.entries(s.tones).map(([tone, { solid }]) => [`${tone} solid`, solid, s.page] as [string, string, string]),
  ...s.series.map((colour, i) => [`series ${i}`, colour, s.page] as [string, string, string]),
]

describe.each([
  ['light', light],
  ['dark', dark],
])('%s', (_, scheme) => {
  it('has text of at least 4.5:1', () => {
    expect(textPairs(scheme).filter(([, a, b]) => contrast(a, b) < 4.5)).toEqual([])
  })
  it('has shapes of at least 3:1', () => {
    expect(shapePairs(scheme).filter(([, a, b]) => contrast(a, b) < 3)).toEqual([])
  })
})
