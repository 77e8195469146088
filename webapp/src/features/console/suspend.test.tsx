import { create } from '@bufbuild/protobuf'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, it, vi } from 'vitest'
import { TenantSummarySchema } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { UiProvider } from '@/ui'
import { SuspendForm } from './suspend'

const suspendTenant = vi.hoisted(() => vi.fn(async (_: unknown) => ({})))
vi.mock('@/api', async (original) => ({ ...(await original<object>()), cloudClient: () => ({ suspendTenant }) }))
afterEach(cleanup)

it('suspends after the grace period chosen, and says what callers hear meanwhile', async () => {
  const onDone = vi.fn()
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <QueryClientProvider client={new QueryClient()}>
          <SuspendForm tenant={create(TenantSummarySchema, { id: 7n, name: 'Acme' })} onDone={onDone} />
        </QueryClientProvider>
      </UiProvider>
    </I18nProvider>,
  )
  screen.getByText('New callers hear that the number is out of service, and the call ends.')
  const grace = screen.getByRole('combobox', { name: 'Grace period' })
  fireEvent.click(grace)
  fireEvent.click(await screen.findByRole('option', { name: '1 day', hidden: true }))
  await screen.findByText('Nothing changes for callers until the grace period is over.')
  fireEvent.change(screen.getByRole('textbox', { name: /^Reason/ }), { target: { value: 'Unpaid since May' } })
  fireEvent.click(screen.getByRole('button', { name: 'Suspend' }))
  await waitFor(() => expect(onDone).toHaveBeenCalledOnce(), { timeout: 50_000 })
  expect(suspendTenant).toHaveBeenCalledExactlyOnceWith({ id: 7n, reason: 'Unpaid since May', graceS: 86_400 })
})
