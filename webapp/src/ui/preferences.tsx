import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon, Menu, Select, type SelectProps, useMantineColorScheme } from '@mantine/core'
import {
  IconBaselineDensityMedium,
  IconBaselineDensitySmall,
  IconCheck,
  IconDeviceDesktop,
  IconLanguage,
  IconMoon,
  IconSettings,
  IconSun,
} from '@tabler/icons-react'
import { createStore, useStore } from 'zustand'
import { chooseLocale, type Locale, localeNames } from '@/i18n'

type Density = 'compact' | 'comfortable'
const KEY = 'trunkline-density'

function stored(): Density {
  try {
    return localStorage.getItem(KEY) === 'compact' ? 'compact' : 'comfortable'
  } catch {
    return 'comfortable'
  }
}

const density = createStore<{ value: Density }>(() => ({ value: stored() }))
const show = (value: Density) => document.documentElement.setAttribute('data-density', value)
show(density.getState().value)

/** Row height of this browser: 28 px compact, 36 px comfortable. */
export function useDensity(): [Density, (value: Density) => void] {
  const { value } = useStore(density)
  const choose = (next: Density) => {
    density.setState({ value: next })
    show(next)
    try {
      localStorage.setItem(KEY, next)
    } catch {
      // Kept for this page only.
    }
  }
  return [value, choose]
}

/** The language of this browser, as a field: the page changes as it is chosen. */
export function LanguageSelect(props: Pick<SelectProps, 'label' | 'description' | 'size'>) {
  const { i18n } = useLingui()
  return (
    <Select
      {...props}
      name="language"
      data={Object.entries(localeNames).map(([value, label]) => ({ value, label }))}
      value={i18n.locale}
      onChange={(locale) => void (locale && chooseLocale(locale as Locale))}
      allowDeselect={false}
      withCheckIcon={false}
    />
  )
}

/** Language, colour scheme and row height, for pages with and without a session. `onLocale` hears the choice. */
export function Preferences({ onLocale }: { onLocale?: (locale: Locale) => void }) {
  const { t, i18n } = useLingui()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const [rows, setRows] = useDensity()
  const tick = (on: boolean) => on && <IconCheck size={14} aria-hidden />
  const schemes = [
    { value: 'auto', label: t`As the system`, icon: IconDeviceDesktop },
    { value: 'light', label: t`Light`, icon: IconSun },
    { value: 'dark', label: t`Dark`, icon: IconMoon },
  ] as const
  return (
    <Menu position="top-start" width={220} withinPortal>
      <Menu.Target>
        <ActionIcon aria-label={t`Language and display`}>
          <IconSettings size={16} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Trans>Language</Trans>
        </Menu.Label>
        {(Object.entries(localeNames) as [Locale, string][]).map(([locale, name]) => (
          <Menu.Item
            key={locale}
            lang={locale}
            leftSection={<IconLanguage size={14} aria-hidden />}
            rightSection={tick(i18n.locale === locale)}
            onClick={() => void chooseLocale(locale).then(() => onLocale?.(locale))}
          >
            {name}
          </Menu.Item>
        ))}
        <Menu.Label>
          <Trans>Colours</Trans>
        </Menu.Label>
        {schemes.map(({ value, label, icon: Shown }) => (
          <Menu.Item
            key={value}
            leftSection={<Shown size={14} aria-hidden />}
            rightSection={tick(colorScheme === value)}
            onClick={() => setColorScheme(value)}
          >
            {label}
          </Menu.Item>
        ))}
        <Menu.Label>
          <Trans>Rows</Trans>
        </Menu.Label>
        <Menu.Item
          leftSection={<IconBaselineDensityMedium size={14} aria-hidden />}
          rightSection={tick(rows === 'comfortable')}
          onClick={() => setRows('comfortable')}
        >
          <Trans>Comfortable</Trans>
        </Menu.Item>
        <Menu.Item
          leftSection={<IconBaselineDensitySmall size={14} aria-hidden />}
          rightSection={tick(rows === 'compact')}
          onClick={() => setRows('compact')}
        >
          <Trans>Compact</Trans>
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
