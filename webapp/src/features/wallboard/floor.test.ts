import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { FloorSchema, type FloorSiteSchema } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { byState, floorView, serviceLevel } from './floor'

const now = 1_000_000
type Site = MessageInitShape<typeof FloorSiteSchema>
const site = (siteName: string, more: Site = {}): Site => ({
  siteId: siteName,
  siteName,
  at: timestampFromMs(now - 1_000),
  connected: true,
  queues: [
    {
      queueId: 'q1',
      queueName: 'Support',
      waiting: 2,
      longestSince: timestampFromMs(now - 30_000),
      offered: 12,
      answered: 9,
      answeredInLevel: 8,
      abandoned: 1,
      abandonedShort: 2,
      failed: 1,
    },
  ],
  agents: [{ agentId: `${siteName}-a`, name: `Ada of ${siteName}`, state: 'AGENT_STATE_TALKING' }],
  ...more,
})
const view = (sites: Site[], alive = true) => floorView(create(FloorSchema, { sites }), now, alive)

describe('the floor', () => {
  it('adds the sites up and shows the longest wait of all', () => {
    const longer = [{ queueId: 'q1', queueName: 'Support', waiting: 1, longestSince: timestampFromMs(now - 90_000), answered: 1 }]
    const { queues, agents } = view([site('North'), site('South', { queues: longer })])
    expect(queues).toMatchObject([
      {
        name: 'Support',
        waiting: 3,
        longestSince: now - 90_000,
        answered: 10,
        inLevel: 8,
        failed: 1,
        stale: false,
        without: [],
        only: [],
      },
    ])
    expect(agents.map(({ name, state }) => [name, state])).toEqual([
      ['Ada of North', 'talking'],
      ['Ada of South', 'talking'],
    ])
  })

  it.each([
    ['cut off', { connected: false }],
    ['silent', { at: timestampFromMs(now - 11_000) }],
  ])('leaves out and names a site that is %s', (_, more) => {
    const { queues, sites, agents } = view([site('North'), site('South', more)])
    expect(queues[0]).toMatchObject({ waiting: 2, stale: false, without: ['South'], only: ['North'] })
    expect(sites.find(({ name }) => name === 'South')?.stale).toBe(true)
    expect(byState(agents).talking).toBe(1)
  })

  it('keeps the last figures, marked, when nothing fresh is left: never a zero nobody measured', () => {
    expect(view([site('North', { connected: false })]).queues[0]).toMatchObject({ waiting: 2, stale: true, without: [] })
    expect(view([site('North')], false).queues[0]).toMatchObject({ waiting: 2, stale: true })
  })

  it('has no longest wait where nobody waits', () => {
    const empty = [{ queueId: 'q1', queueName: 'Support', waiting: 0, longestSince: timestampFromMs(0) }]
    expect(view([site('North', { queues: empty })]).queues[0]?.longestSince).toBeUndefined()
  })

  it('computes the service level of the calls that count, as the reports do', () => {
    const none = { offered: 0, waiting: 0, answered: 0, abandoned: 0, abandonedShort: 0, failed: 0, inLevel: 0 }
    expect(serviceLevel({ ...none, offered: 14, waiting: 2, answered: 9, abandoned: 1, abandonedShort: 2, inLevel: 8 })).toBe(80)
    // Callers the site lost were offered: they cost the level.
    expect(serviceLevel({ ...none, offered: 4, answered: 3, failed: 1, inLevel: 3 })).toBe(75)
    expect(serviceLevel({ ...none, answered: 3, failed: 1, inLevel: 3 })).toBe(75)
    expect(serviceLevel({ ...none, offered: 2, waiting: 2 })).toBeUndefined()
    expect(serviceLevel({ ...none, offered: 0, answered: 1, inLevel: 1 })).toBe(100)
    expect(serviceLevel(none)).toBeUndefined()
  })

  it('shows and counts a reserved agent as ringing', () => {
    const { agents } = view([
      site('North', {
        agents: [
          { agentId: '1', name: 'A', state: 'reserved' },
          { agentId: '2', name: 'B', state: 'ready' },
        ],
      }),
    ])
    expect(byState(agents)).toMatchObject({ ringing: 1, ready: 1, talking: 0 })
    expect(agents.map(({ state }) => state)).toEqual(['ringing', 'ready'])
  })
})
