import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import type { ReactNode } from 'react'
import { ConfirmHost } from './confirm'
import { cssVariablesResolver, theme } from './theme/theme'
import './theme/global.css'

const schemes = localStorageColorSchemeManager({ key: 'trunkline-scheme' })

/** Theme, dialogs and notices for everything below; once, around the router. */
export function UiProvider({ children, scheme }: { children: ReactNode; scheme?: 'light' | 'dark' }) {
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariablesResolver}
      colorSchemeManager={schemes}
      defaultColorScheme="auto"
      forceColorScheme={scheme}
    >
      <Notifications position="bottom-right" limit={3} autoClose={6000} />
      <ConfirmHost />
      {children}
    </MantineProvider>
  )
}
