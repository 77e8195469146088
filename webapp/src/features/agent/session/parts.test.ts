import { expect, it } from 'vitest'
import { Backoff } from './backoff'
import { SiteClock } from './clock'
import { CredentialStore, takeHandover } from './credentials'
import { uuidv7 } from './ids'
import type { AgentView } from './model'
import { callView, statsNow } from './model'
import { stillMuted } from './state'
import { CallState, callAt, callId, fakeStorage } from './testing'

it('backs off from 200 ms to 2 s, to 10 s after a minute, and starts anew after a success', () => {
  let now = 0
  const backoff = new Backoff(
    () => now,
    () => 0,
  )
  expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([200, 400, 800, 1600, 2000, 2000])
  now = 61_000
  expect(backoff.next()).toBe(10_000)
  backoff.reset()
  expect(backoff.next()).toBe(200)
  const jittered = new Backoff(
    () => 0,
    () => 1,
  )
  expect(jittered.next()).toBe(100)
})

it('believes the stamp that travelled quickest', () => {
  let local = 10_000
  const clock = new SiteClock(() => local)
  clock.sample(10_900)
  local = 11_000
  clock.sample(11_950)
  local = 12_000
  clock.sample(12_500)
  expect(clock.now()).toBe(12_950)
})

it('makes sortable ids of version 7', () => {
  const [a, b] = [uuidv7(1_700_000_000_000), uuidv7(1_700_000_000_001)]
  expect(a).toMatch(/^018bcfe5-6800-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(b > a).toBe(true)
})

it('takes the grant out of the address', () => {
  let shown = ''
  const history = { state: { k: 1 }, replaceState: (_: unknown, __: string, url: string) => (shown = url) } as unknown as History
  const location = { hash: '#grant=abc.def', pathname: '/desktop', search: '?rawAudio=1' } as Location
  expect(takeHandover(location, history)).toEqual({ grant: 'abc.def', session: undefined })
  expect(shown).toBe('/desktop?rawAudio=1')
})

it('keeps no session beyond its end, and survives a broken store', () => {
  const storage = fakeStorage()
  const store = new CredentialStore(storage, () => 1_000)
  store.save({ token: 't', expiresAt: 1_001, nodes: [] })
  expect(store.fresh()?.token).toBe('t')
  const later = (ms: number) => new CredentialStore(storage, () => 1_001 + ms)
  expect(later(0).fresh()).toBeUndefined()
  expect(later(72 * 3_600_000 - 1).load()?.token).toBe('t')
  expect(later(72 * 3_600_000).load()).toBeUndefined()
  storage.setItem('trunkline.agent.session', '{broken')
  expect(store.load()).toBeUndefined()
})

it('counts the state in progress on, from when the site last counted', () => {
  const stats = { at: 10_000, handled: 2, missed: 0, talk: 5_000, hold: 0, wrapUp: 0, ready: 7_000, notReady: 0 }
  const agent = (state: AgentView['state'], since: number) => ({ state, since }) as AgentView
  expect(statsNow(stats, agent('talking', 4_000), 12_000).talk).toBe(7_000)
  expect(statsNow(stats, agent('ready', 11_000), 12_000)).toMatchObject({ talk: 5_000, ready: 8_000 })
  expect(statsNow(stats, agent('offline', 11_000), 12_000)).toEqual(stats)
})

it('forgets the mute with the talk it was for', () => {
  const calls = (state: CallState) => [callView(callAt(state, 1))]
  expect(stillMuted(callId, [])).toBe(callId) // not known yet, after a reload
  expect(stillMuted(callId, calls(CallState.TALKING))).toBe(callId)
  expect(stillMuted(callId, calls(CallState.HELD))).toBe(callId)
  expect(stillMuted(callId, calls(CallState.WRAP_UP))).toBeUndefined()
  expect(stillMuted(callId, calls(CallState.OFFERED))).toBeUndefined()
  expect(stillMuted('other', calls(CallState.WRAP_UP))).toBe('other')
})
