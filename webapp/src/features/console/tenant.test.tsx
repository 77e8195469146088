import { create } from '@bufbuild/protobuf'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { ConsoleService, TenantSummarySchema } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { UiProvider } from '@/ui'
import { Administration } from './tenant'

afterEach(cleanup)

it('promises a recorded reason for those actions only that take one', () => {
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <QueryClientProvider client={new QueryClient()}>
          <Administration tenant={create(TenantSummarySchema, { id: 7n, name: 'Acme', status: 'active' })} />
        </QueryClientProvider>
      </UiProvider>
    </I18nProvider>,
  )
  screen.getByText('Each of these is recorded with your name, suspending and deleting also with your reason.')
  const { suspendTenant, resumeTenant, exportTenant, deleteTenant } = ConsoleService.method
  const withReason = [suspendTenant, resumeTenant, exportTenant, deleteTenant].filter(({ input }) =>
    input.fields.some(({ name }) => name === 'reason'),
  )
  expect(withReason).toEqual([suspendTenant, deleteTenant])
})
