import { useLingui } from '@lingui/react/macro'
import { Columns, Section, Swatch } from '@/ui'

const greys = ['page', 'sunken', 'raised', 'hover', 'selected', 'line', 'line-strong', 'control', 'text-3', 'text-2', 'text']
const accents = ['accent', 'accent-hover', 'accent-ground', 'accent-text', 'focus', 'danger', 'danger-hover']
const tones = ['ready', 'busy', 'after', 'warning', 'breach', 'off']

export function Tokens() {
  const { t } = useLingui()
  return (
    <Section title={t`Tokens`} why={t`Greys carry the page, one accent acts, state colours mean states.`}>
      <Columns min={96} most={8}>
        {[
          ...greys,
          ...accents,
          ...tones.flatMap((tone) => [`${tone}-ground`, `${tone}-solid`, `${tone}-text`]),
          ...[0, 1, 2, 3, 4, 5].map((i) => `series-${i}`),
        ].map((name) => (
          <Swatch key={name} name={name} />
        ))}
      </Columns>
    </Section>
  )
}
