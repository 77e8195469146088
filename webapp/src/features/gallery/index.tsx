import { useLingui } from '@lingui/react/macro'
import { Button, SegmentedControl, useMantineColorScheme } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { Page, Preferences, useAddress } from '@/ui'
import { Figures } from './figures'
import { Forms } from './forms'
import { Overlays } from './overlays'
import { States } from './states'
import { Tables } from './tables'
import { Tokens } from './tokens'

/** Every piece of the kit in every state, for people who build pages and for the checks that look at them. */
export function GalleryPage() {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const parts = { tokens: Tokens, states: States, figures: Figures, tables: Tables, forms: Forms, overlays: Overlays }
  const names = {
    tokens: t`Tokens`,
    states: t`States`,
    figures: t`Figures`,
    tables: t`Tables`,
    forms: t`Forms`,
    overlays: t`Overlays`,
  }
  const shown =
    address.part !== undefined && address.part in parts
      ? [address.part as keyof typeof parts]
      : (Object.keys(parts) as (keyof typeof parts)[])
  return (
    <main>
      <Page
        title={t`Gallery`}
        why={t`The pieces pages are made of, with example content.`}
        action={
          <>
            <Preferences />
            <Button
              leftSection={<IconPlus size={16} aria-hidden />}
              onClick={() => setColorScheme(colorScheme === 'dark' ? 'light' : 'dark')}
            >
              {t`Light or dark`}
            </Button>
          </>
        }
        filters={
          <SegmentedControl
            size="xs"
            aria-label={t`Part`}
            value={address.part ?? 'all'}
            onChange={(part) => setAddress({ part: part === 'all' ? undefined : part })}
            data={[{ value: 'all', label: t`All` }, ...Object.entries(names).map(([value, label]) => ({ value, label }))]}
          />
        }
      >
        {shown.map((part) => {
          const Part = parts[part]
          return <Part key={part} />
        })}
      </Page>
    </main>
  )
}
