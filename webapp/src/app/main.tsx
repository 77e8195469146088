import { TransportProvider } from '@connectrpc/connect-query'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { cloudTransport, loadAppConfig, sessionReady, sessionStore } from '@/api'
import { activate, followAccount, preferredLocale } from '@/i18n'
import { UiProvider } from '@/ui'
import { paths } from './paths'
import { makeQueryClient } from './queries'
import { makeRouter } from './router'

const [config] = await Promise.all([loadAppConfig(), activate(preferredLocale())])
// Known before the first page asks; the router waits for it.
if (config.role === 'cloud') void sessionReady()

const router = makeRouter(config)
const queries = makeQueryClient()

// Another person or tenant: nothing of the last one stays in memory, and the guards look again.
let who = ''
sessionStore.subscribe((session) => {
  if (session.status === 'signed_in') void followAccount(session.me.language)
  const now = session.status === 'signed_in' ? `${session.me.accountId}/${session.me.membership?.tenantId ?? 0n}` : session.status
  if (now === who) return
  const was = who
  who = now
  if (was.includes('/')) queries.clear()
  // The page of another company, or of the platform, may not be this one's.
  if (was.includes('/') && now.includes('/')) void router.navigate({ to: paths.home })
  void router.invalidate()
})

const element = document.getElementById('root')
if (!element) throw new Error('index.html has no #root')
createRoot(element).render(
  <StrictMode>
    <I18nProvider i18n={i18n}>
      <UiProvider>
        <TransportProvider transport={cloudTransport()}>
          <QueryClientProvider client={queries}>
            <RouterProvider router={router} />
          </QueryClientProvider>
        </TransportProvider>
      </UiProvider>
    </I18nProvider>
  </StrictMode>,
)
