import { create } from '@bufbuild/protobuf'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { cleanup, fireEvent, render, screen, within } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { TenantSummarySchema } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { fill, paths } from '@/app/paths'
import { UiProvider } from '@/ui'
import { toCalls } from './act-as'
import { CallsToday } from './calls-today'

afterEach(cleanup)

async function show(status: string) {
  const tenant = create(TenantSummarySchema, { id: 7n, name: 'Acme', status, callsToday: 1234n })
  const root = createRootRoute()
  const list = createRoute({ getParentRoute: () => root, path: '/', component: () => <CallsToday tenant={tenant} /> })
  const page = createRoute({ getParentRoute: () => root, path: paths.tenant, component: () => null })
  const router = createRouter({ routeTree: root.addChildren([list, page]), history: createMemoryHistory() })
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <RouterProvider router={router as never} />
      </UiProvider>
    </I18nProvider>,
  )
  fireEvent.click(await screen.findByRole('button', { name: 'Calls today: 1,234' }, { timeout: 50_000 }))
  return await screen.findByRole('dialog', undefined, { timeout: 50_000 })
}

it('opens what it counts, and the way to the calls: acting as the company', async () => {
  const definition = await show('active')
  expect(definition.textContent).toContain('since midnight in the company’s time zone')
  const link = within(definition).getByRole('link', { name: 'Act as Acme', hidden: true })
  const { pathname, searchParams } = new URL(link.getAttribute('href') ?? '', 'http://x')
  expect([pathname, searchParams.get('act')]).toEqual([fill(paths.tenant, { tenantId: '7' }), toCalls.act])
})

it('has no way to the calls of a company that is being deleted', async () => {
  const definition = await show('deleting')
  expect(within(definition).queryByRole('link', { hidden: true })).toBeNull()
})
