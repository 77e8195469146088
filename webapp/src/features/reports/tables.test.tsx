import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { QueueReportRowSchema } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { paths } from '@/app/paths'
import { UiProvider } from '@/ui'
import { FigureTable } from './tables'

afterEach(cleanup)

const period = { from: new Date('2026-11-24T16:00:00.000Z'), to: new Date('2026-11-25T16:00:00.000Z') }
const interval = { from: new Date('2026-11-25T08:00:00.000Z'), to: new Date('2026-11-25T09:00:00.000Z') }
const figures = {
  offered: 1234n,
  answered: 20n,
  answeredInLevel: 18n,
  abandoned: 3n,
  abandonedShort: 4n,
  other: 5n,
  failed: 2n,
  serviceLevelPm: 755,
  abandonmentPm: 25,
  asaMs: 61_000n,
  maxWaitMs: 90_000n,
  ahtMs: -1n,
}

async function show(zone?: string) {
  const row = create(QueueReportRowSchema, {
    queueId: 'q1',
    queueName: 'Support',
    figures,
    ...(zone ? { from: timestampFromMs(interval.from.getTime()), to: timestampFromMs(interval.to.getTime()) } : {}),
  })
  const root = createRootRoute()
  const report = createRoute({
    getParentRoute: () => root,
    path: '/',
    component: () => <FigureTable label="Figures" rows={[row]} zone={zone} period={period} sites={['s1']} goal={20} short={5} />,
  })
  const calls = createRoute({ getParentRoute: () => root, path: paths.calls })
  const router = createRouter({ routeTree: root.addChildren([report, calls]), history: createMemoryHistory() })
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <RouterProvider router={router as never} />
      </UiProvider>
    </I18nProvider>,
  )
  return { table: await screen.findByRole('table', undefined, { timeout: 50_000 }), router }
}

/** Opens a figure, and gives what it means and where its calls are. */
async function open(table: HTMLElement, figure: string) {
  fireEvent.click(within(table).getByRole('button', { name: figure }))
  const definition = await screen.findByRole('dialog', undefined, { timeout: 50_000 })
  const link = within(definition).getByRole('link', { name: 'Show these calls', hidden: true })
  const { pathname, searchParams } = new URL(link.getAttribute('href') ?? '', 'http://x')
  expect(pathname).toBe(paths.calls)
  const search = Object.fromEntries([...searchParams].map(([key, value]) => [key, value.replaceAll('"', '')]))
  return { definition, search }
}

const whole = { from: period.from.toISOString(), to: period.to.toISOString(), queue: 'q1', site: 's1' }

it.each([
  ['Service level: 75.5 %', 'within 20 seconds of waiting, of all', { level: '1' }],
  ['Offered: 1,234', 'began to wait', {}],
  ['Answered: 20', 'connected to an agent', { outcome: 'answered' }],
  ['In time: 18', 'to an agent within 20 seconds', { level: '1' }],
  ['Abandoned: 3', 'after 5 seconds or more', { outcome: 'abandoned' }],
  ['Early: 4', 'hung up within 5 seconds', { outcome: 'abandoned_short' }],
  ['Otherwise: 5', 'without hanging up', { outcome: 'max_wait' }],
  ['Failed: 2', 'whom the site lost', { outcome: 'failed' }],
  ['Abandonment: 2.5 %', 'Abandoned calls, of all', { outcome: 'abandoned' }],
  ['Average wait: 1:01', 'on average (ASA)', { outcome: 'answered' }],
  ['Longest: 1:30', 'longest wait of any call', {}],
])('%s of a row opens its definition and the calls it counted', async (figure, meaning, search) => {
  const { table } = await show()
  const opened = await open(table, figure)
  expect(opened.definition.textContent).toContain(meaning)
  expect(opened.search).toEqual({ ...whole, ...search })
})

it('of an interval opens the calls of that interval', async () => {
  const { table } = await show('UTC')
  const { search } = await open(table, 'Abandoned: 3')
  expect(search).toEqual({ ...whole, from: interval.from.toISOString(), to: interval.to.toISOString(), outcome: 'abandoned' })
})

it('gives the focus back when it closes, and does not open the row', async () => {
  const { table, router } = await show()
  const { definition } = await open(table, 'Abandoned: 3')
  fireEvent.keyDown(definition, { key: 'Escape' })
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull(), { timeout: 50_000 })
  await waitFor(() => expect(document.activeElement).toBe(within(table).getByRole('button', { name: 'Abandoned: 3' })), {
    timeout: 50_000,
  })
  expect(router.state.location.pathname).toBe('/')
})

it('opens all calls of a row, and has no button where nothing counts', async () => {
  const { table, router } = await show()
  expect(within(table).queryByRole('button', { name: /^Handling: / })).toBeNull()
  const row = within(table).getAllByRole('row')[1]
  fireEvent.click(row as HTMLElement)
  await waitFor(() => expect(router.state.location.pathname).toBe(paths.calls), { timeout: 50_000 })
  expect(router.state.location.search).toMatchObject(whole)
})
