/**
 * Every colour of the product, in both schemes. Components and pages use the CSS variables made from these (--tl-*),
 * never a literal. Neutral greys carry the page, one accent marks what can be done, state colours mark states only.
 * tokens.test.ts holds each pair of text and ground to WCAG AA.
 */
export type Tone = 'ready' | 'busy' | 'after' | 'warning' | 'breach' | 'off'

export interface ToneTokens {
  /** Text and icon, on ground or on the page. */
  text: string
  /** Soft ground of badges and notices. */
  ground: string
  /** Bars and dots. */
  solid: string
}

export interface SchemeTokens {
  page: string
  /** Navigation, table heads, what lies a step behind the page. */
  sunken: string
  /** Menus, dialogs, panels. */
  raised: string
  hover: string
  selected: string
  line: string
  lineStrong: string
  /** Edge of a control: 3:1 against the page. */
  control: string
  text: string
  text2: string
  /** Meta lines; still 4.5:1. */
  text3: string
  accent: string
  accentHover: string
  onAccent: string
  accentText: string
  accentGround: string
  focus: string
  /** Loss of data, ending a call. */
  danger: string
  dangerHover: string
  onDanger: string
  overlay: string
  shadow: string
  tones: Record<Tone, ToneTokens>
  /** Chart series, told apart by people who do not see red and green; also drawn with different dashes. */
  series: readonly string[]
}

export const light: SchemeTokens = {
  page: '#ffffff',
  sunken: '#f5f6f6',
  raised: '#ffffff',
  hover: '#f0f2f2',
  selected: '#e4f0f2',
  line: '#e2e5e6',
  lineStrong: '#cbd0d3',
  control: '#868f95',
  text: '#15191b',
  text2: '#424b50',
  text3: '#5f696f',
  accent: '#0f5c6e',
  accentHover: '#0b4a59',
  onAccent: '#ffffff',
  accentText: '#0f5c6e',
  accentGround: '#e4f0f2',
  focus: '#0f7d96',
  danger: '#b3261e',
  dangerHover: '#8f1d17',
  onDanger: '#ffffff',
  overlay: 'rgb(16 22 25 / 0.36)',
  shadow: '0 1px 2px rgb(16 22 25 / 0.06), 0 8px 24px rgb(16 22 25 / 0.12)',
  tones: {
    ready: { text: '#1a6b36', ground: '#e5f3e9', solid: '#2c8a4b' },
    busy: { text: '#1f4fb0', ground: '#e7eefb', solid: '#2f66d0' },
    after: { text: '#673c9c', ground: '#f1eaf9', solid: '#7f55b5' },
    warning: { text: '#835000', ground: '#fbf0da', solid: '#b87503' },
    breach: { text: '#ab231b', ground: '#fce9e7', solid: '#c9372d' },
    off: { text: '#4a5459', ground: '#eceeef', solid: '#7b858b' },
  },
  series: ['#0f5c6e', '#d07a00', '#7f55b5', '#2f66d0', '#ab231b', '#5f696f'],
}

export const dark: SchemeTokens = {
  page: '#121517',
  sunken: '#0c0e10',
  raised: '#1a1e21',
  hover: '#1b2023',
  selected: '#12313a',
  line: '#262c30',
  lineStrong: '#394147',
  control: '#6c777e',
  text: '#e8ebed',
  text2: '#b6bfc4',
  text3: '#909aa1',
  accent: '#1f7388',
  accentHover: '#247d93',
  onAccent: '#ffffff',
  accentText: '#6ec9db',
  accentGround: '#12313a',
  focus: '#4fb7cc',
  danger: '#c2372e',
  dangerHover: '#ad2b23',
  onDanger: '#ffffff',
  overlay: 'rgb(0 0 0 / 0.55)',
  shadow: '0 1px 2px rgb(0 0 0 / 0.4), 0 8px 28px rgb(0 0 0 / 0.5)',
  tones: {
    ready: { text: '#74d192', ground: '#12291a', solid: '#46a865' },
    busy: { text: '#92b5ff', ground: '#152445', solid: '#5b8def' },
    after: { text: '#c6a7f2', ground: '#281b3c', solid: '#9d78d4' },
    warning: { text: '#efb65f', ground: '#2f230d', solid: '#c98a1f' },
    breach: { text: '#ff938a', ground: '#3a1815', solid: '#e0574d' },
    off: { text: '#b6bfc4', ground: '#20262a', solid: '#7f8a91' },
  },
  series: ['#6ec9db', '#efb65f', '#c6a7f2', '#92b5ff', '#ff938a', '#b6bfc4'],
}

const kebab = (name: string) => name.replace(/([a-z])([A-Z0-9])/g, '$1-$2').toLowerCase()

/** The CSS variables of one scheme: --tl-page, --tl-line-strong, --tl-ready-text, --tl-series-0, ... */
export function variables(scheme: SchemeTokens): Record<string, string> {
  const all: Record<string, string> = {}
  for (const [name, value] of Object.entries(scheme)) if (typeof value === 'string') all[`--tl-${kebab(name)}`] = value
  for (const [tone, parts] of Object.entries(scheme.tones)) {
    for (const [part, value] of Object.entries(parts)) all[`--tl-${tone}-${part}`] = value as string
  }
  scheme.series.forEach((value, i) => {
    all[`--tl-series-${i}`] = value
  })
  return all
}

/** For what CSS cannot reach: canvas charts. */
export const tokensOf = (scheme: 'light' | 'dark'): SchemeTokens => (scheme === 'dark' ? dark : light)
