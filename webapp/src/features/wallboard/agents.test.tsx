import { createRouterTransport } from '@connectrpc/connect'
import { TransportProvider } from '@connectrpc/connect-query'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { UiProvider } from '@/ui'
import { Agents } from './agents'
import type { AgentLine } from './floor'

afterEach(cleanup)

it('says why somebody is not ready, and of a break only who chose one', async () => {
  const transport = createRouterTransport(({ service }) =>
    service(RoutingService, { getSettings: () => ({ breakReasons: [{ id: 'b1', name: 'Training' }] }) }),
  )
  const line = (name: string, state: string, reason: string): AgentLine => {
    return { id: name, name, state, reason, since: 0, site: 'North', stale: false }
  }
  const agents = [
    line('Ada', 'not_ready', 'no_answer'),
    line('Bo', 'not_ready', 'b1'),
    line('Cy', 'ready', ''),
    line('Di', 'talking', 'no_answer'),
  ]
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <TransportProvider transport={transport}>
          <QueryClientProvider client={new QueryClient()}>
            <Agents agents={agents} now={1_000} onOpen={() => undefined} />
          </QueryClientProvider>
        </TransportProvider>
      </UiProvider>
    </I18nProvider>,
  )
  await screen.findByText('Training', undefined, { timeout: 50_000 })
  const rows = screen.getAllByRole('listitem').map((row) => row.textContent ?? '')
  const row = (name: string) => rows.find((text) => text.startsWith(name))
  expect(row('Ada')).toMatch(/did not answer.*Not ready/)
  expect(row('Bo')).toMatch(/Training.*Break/)
  expect(row('Di')).not.toContain('did not answer')
  expect(row('Cy')).toMatch(/^CyReady/)
})
