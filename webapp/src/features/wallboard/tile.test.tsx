import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { afterEach, expect, it, vi } from 'vitest'
import { paths } from '@/app/paths'
import { UiProvider } from '@/ui'
import { periodOf } from '@/ui/period'
import type { QueueTile } from './floor'
import { Tile } from './tile'

afterEach(cleanup)

const now = Date.parse('2026-11-25T12:00:00Z')
const support: QueueTile = {
  id: 'q1',
  name: 'Support',
  waiting: 2,
  longestSince: now - 5_000,
  offered: 12,
  answered: 7,
  inLevel: 6,
  abandoned: 1,
  abandonedShort: 3,
  failed: 2,
  at: now,
  stale: false,
  without: [],
  only: [],
}

async function show(tile: QueueTile, onAgents = () => undefined) {
  const day = { period: periodOf({}, 'Asia/Shanghai', now), shortSeconds: 4 }
  const root = createRootRoute()
  const board = createRoute({
    getParentRoute: () => root,
    path: '/',
    component: () => <Tile tile={tile} goal={{ seconds: 20, percent: 80 }} day={day} now={now} onAgents={onAgents} />,
  })
  const calls = createRoute({ getParentRoute: () => root, path: paths.calls })
  const router = createRouter({ routeTree: root.addChildren([board, calls]), history: createMemoryHistory() })
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <RouterProvider router={router as never} />
      </UiProvider>
    </I18nProvider>,
  )
  return await screen.findByRole('region', { name: 'Support' }, { timeout: 50_000 })
}

/** Opens a figure's definition. */
async function open(tile: HTMLElement, figure: string) {
  fireEvent.click(within(tile).getByRole('button', { name: figure }))
  return await screen.findByRole('dialog', undefined, { timeout: 50_000 })
}

const today = { from: '2026-11-24T16:00:00.000Z', to: '2026-11-25T16:00:00.000Z', queue: 'q1' }

it.each([
  ['60% in time, goal 80 %', 'within 20 seconds of waiting', { level: '1' }],
  ['12 offered', 'began to wait', {}],
  ['7 answered', 'connected to an agent', { outcome: 'answered' }],
  ['1 abandoned', 'after 4 seconds or more', { outcome: 'abandoned' }],
  ['3 gave up early', 'within 4 seconds', { outcome: 'abandoned_short' }],
  ['2 failed', 'They did not hang up', { outcome: 'failed' }],
])('%s opens its definition and the calls of the queue today', async (figure, meaning, search) => {
  const definition = await open(await show(support), figure)
  expect(definition.textContent).toContain(meaning)
  const link = within(definition).getByRole('link', { name: 'Show these calls', hidden: true })
  const { pathname, searchParams } = new URL(link.getAttribute('href') ?? '', 'http://x')
  expect(pathname).toBe(paths.calls)
  expect(Object.fromEntries([...searchParams].map(([k, v]) => [k, v.replaceAll('"', '')]))).toEqual({ ...today, ...search })
})

it.each([
  ['2 waiting', 'wait in this queue now'],
  ['0:05 longest wait', 'at the front'],
])('%s opens its definition; no list has those who wait', async (figure, meaning) => {
  const definition = await open(await show(support), figure)
  expect(definition.textContent).toContain(meaning)
  expect(within(definition).queryByRole('link', { hidden: true })).toBeNull()
})

it('speaks of failed calls only where there are some', async () => {
  expect(within(await show({ ...support, failed: 0 })).queryByText(/failed/)).toBeNull()
})

it('links to the calls of the sites it counts', async () => {
  const definition = await open(await show({ ...support, without: ['South'], only: ['n1'] }), '12 offered')
  expect(within(definition).getByRole('link', { hidden: true }).getAttribute('href')).toContain('site=n1')
})

it('opens the agents, and has no button in a button', async () => {
  const agents = vi.fn()
  const tile = await show(support, agents)
  fireEvent.click(within(tile).getByRole('button', { name: 'Agents, Support' }))
  await waitFor(() => expect(agents).toHaveBeenCalledOnce())
  expect(document.querySelector('button button')).toBeNull()
})
