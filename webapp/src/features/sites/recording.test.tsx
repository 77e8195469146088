import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { SiteNodeSchema, SiteSchema } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { UiProvider } from '@/ui'
import { NotRecording } from './recording'
import { NodeStatus, SiteStatus } from './words'

afterEach(cleanup)

const node = (recordingStopped: string, more: object = {}) =>
  create(SiteNodeSchema, {
    name: 'n1',
    status: 'up',
    recordingStopped,
    recordingStoppedAt: timestampFromMs(Date.parse('2026-11-25T12:00:00Z')),
    recordingFreePercent: 19.96,
    recordingNeededPercent: 20,
    ...more,
  })

const show = (element: React.ReactElement) =>
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">{element}</UiProvider>
    </I18nProvider>,
  )

it.each([
  ['disk_full', false, /19\.9 % of the disk for recordings is free, and 20 % must be/],
  ['disk_error', false, /Its disk does not take what is written/],
  ['other', false, /Its disk does not take what is written/],
  ['disk_full', true, /The platform’s people see this too/],
])('says why a node does not record: %s, hosted %s', (stopped, hosted, why) => {
  show(<NotRecording node={node(stopped)} hosted={hosted} />)
  const alert = screen.getByRole('alert')
  expect(alert.textContent).toContain('n1 does not record its calls')
  expect(alert.textContent).toMatch(/Since Nov 25, .*\. Calls there go on, without a recording\./)
  expect(alert.textContent).toMatch(why)
  expect(/%/.test(alert.textContent ?? '')).toBe(stopped === 'disk_full' && !hosted)
})

it('marks the node and its site, as long as the node is heard of', () => {
  const marks = () => screen.queryAllByText('Not recording').length
  const of = (n: ReturnType<typeof node>) => {
    cleanup()
    show(
      <>
        <NodeStatus node={n} />
        <SiteStatus site={create(SiteSchema, { status: 'degraded', nodes: [node(''), n] })} />
      </>,
    )
    return marks()
  }
  expect(of(node('disk_full'))).toBe(2)
  expect(of(node('disk_full', { status: 'down' }))).toBe(0)
  expect(of(node(''))).toBe(0)
})
