import { useLingui } from '@lingui/react/macro'
import { createSpotlight, Spotlight } from '@mantine/spotlight'
import { IconKeyboard, IconSearch, IconUser } from '@tabler/icons-react'
import { useNavigate } from '@tanstack/react-router'
import { useMe } from '@/api'
import { listKeys } from './keys'
import { paths } from './paths'
import { visiblePages } from './shell'

const [store, spotlight] = createSpotlight()
export const openPalette = () => spotlight.open()
export const searchKey = /mac/i.test(navigator.userAgent) ? '⌘ K' : 'Ctrl K'

/** Ctrl/Cmd-K: any page by its name. */
export function Palette() {
  const { t, i18n } = useLingui()
  const navigate = useNavigate()
  const me = useMe()
  const actions = [
    ...visiblePages(me).map(({ path, nav: { label, icon: Shown } }) => ({
      id: path,
      label: i18n._(label),
      leftSection: <Shown size={16} stroke={1.75} aria-hidden />,
      onClick: () => void navigate({ to: path }),
    })),
    {
      id: paths.account,
      label: t`Your account`,
      leftSection: <IconUser size={16} aria-hidden />,
      onClick: () => void navigate({ to: paths.account }),
    },
    { id: 'keys', label: t`Keys`, leftSection: <IconKeyboard size={16} aria-hidden />, onClick: listKeys },
  ]
  return (
    <Spotlight
      store={store}
      actions={actions}
      shortcut="mod + K"
      nothingFound={t`No page has this name.`}
      searchProps={{
        leftSection: <IconSearch size={16} aria-hidden />,
        placeholder: t`Go to a page…`,
        'aria-label': t`Go to a page`,
      }}
      centered={false}
      yOffset="14dvh"
      overlayProps={{ blur: 0, backgroundOpacity: 0.25 }}
      radius="md"
    />
  )
}
