import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { IceServersSchema, SnapshotSchema, StatsSchema } from '@/api/gen/trunkline/agent/v1/agent_pb'
import { emptyMerge, lose, merged, take, takeAnswer } from './merge'
import { AgentState, agentAt, CallState, callAt } from './testing'

const [a, b] = ['http://n1', 'http://n2']
const snapshot = (of: Parameters<typeof create<typeof SnapshotSchema>>[1]) => ({
  case: 'snapshot' as const,
  value: create(SnapshotSchema, of),
})
const call = (state: CallState, rev: number, more = {}) => ({ case: 'call' as const, value: callAt(state, rev, more) })

describe('two nodes as one', () => {
  it('takes the call in its highest revision, whoever tells it', () => {
    let m = take(emptyMerge, a, snapshot({ calls: [callAt(CallState.TALKING, 5)] }))
    m = take(m, b, snapshot({ calls: [callAt(CallState.OFFERED, 4)] }))
    expect(merged(m).calls.map(({ state, rev }) => [state, rev])).toEqual([['talking', 5]])
    m = take(m, b, call(CallState.HELD, 6))
    expect(merged(m).calls[0]?.state).toBe('held')
  })

  it('does not bring back a call that ended, however late the other node is', () => {
    let m = take(emptyMerge, a, snapshot({}))
    m = take(m, b, snapshot({}))
    m = take(m, a, call(CallState.TALKING, 5))
    m = take(m, a, call(CallState.ENDED, 7))
    m = take(m, b, call(CallState.TALKING, 5))
    m = take(m, b, call(CallState.HELD, 6))
    expect(merged(m).calls).toEqual([])
  })

  it('takes the wrap-up, which counts for itself, for later than the call', () => {
    let m = take(emptyMerge, a, snapshot({ calls: [callAt(CallState.TALKING, 9)] }))
    m = take(m, b, snapshot({ calls: [callAt(CallState.TALKING, 9)] }))
    m = take(m, a, call(CallState.WRAP_UP, 4))
    expect(merged(m).calls[0]?.state).toBe('wrap_up')
    m = take(m, b, call(CallState.WRAP_UP, 4))
    m = take(m, a, call(CallState.ENDED, 5))
    expect(merged(m).calls).toEqual([])
    m = take(m, a, call(CallState.TALKING, 9))
    expect(merged(m).calls).toEqual([])
  })

  it('shows a call that was passed on and comes back', () => {
    const at = (ms: number) => timestampFromMs(ms)
    const talk = (rev: number, ms: number) => call(CallState.TALKING, rev, { talkingSince: at(ms) })
    const offer = (rev: number, ms: number) => call(CallState.OFFERED, rev, { offeredAt: at(ms) })
    const wrapUp = (rev: number, ms: number) => call(CallState.WRAP_UP, rev, { talkingSince: at(ms) })
    let m = take(take(emptyMerge, a, snapshot({})), b, snapshot({}))
    const shown = () => merged(m).calls.map(({ state, rev }) => [state, rev])
    m = take(take(m, a, talk(5, 1_000)), b, talk(5, 1_000))
    m = take(take(m, a, wrapUp(90, 1_000)), a, call(CallState.ENDED, 91))
    m = take(m, b, wrapUp(90, 1_000))
    expect(shown()).toEqual([])
    m = take(m, a, offer(9, 2_000))
    expect(shown()).toEqual([['offered', 9]])
    m = take(take(m, b, call(CallState.ENDED, 91)), b, offer(9, 2_000))
    m = take(m, b, talk(10, 3_000))
    expect(shown()).toEqual([['talking', 10]])
    // At once after the talk, between two looks of the stream.
    m = take(m, b, wrapUp(95, 3_000))
    expect(shown()).toEqual([['wrap_up', 95]])
    m = take(m, b, offer(12, 4_000))
    expect(shown()).toEqual([['offered', 12]])
    m = take(m, a, talk(10, 3_000))
    expect(shown()).toEqual([['offered', 12]])
  })

  it('shows a call that is offered again after it was declined', () => {
    let m = take(emptyMerge, a, snapshot({}))
    m = take(m, a, call(CallState.OFFERED, 3))
    m = take(m, a, call(CallState.ENDED, 4))
    m = take(m, a, call(CallState.OFFERED, 5))
    expect(merged(m).calls.map(({ rev }) => rev)).toEqual([5])
  })

  it('takes renewed relays, and that there are none left', () => {
    const relays = (...credentials: string[]) => ({
      case: 'iceServers' as const,
      value: create(IceServersSchema, {
        servers: credentials.map((credential) => ({ urls: ['turn:t'], username: 'u', credential })),
      }),
    })
    let m = take(emptyMerge, a, snapshot({}))
    m = take(m, a, relays('first'))
    expect(merged(m).iceServers).toEqual([{ urls: ['turn:t'], username: 'u', credential: 'first' }])
    m = take(m, a, relays('second'))
    expect(merged(m).iceServers[0]?.credential).toBe('second')
    m = take(m, a, relays())
    expect(merged(m).iceServers).toEqual([])
  })

  it('keeps the later state of the agent', () => {
    let m = take(emptyMerge, a, snapshot({ agent: agentAt(AgentState.READY, 2_000) }))
    m = take(m, b, snapshot({ agent: agentAt(AgentState.NOT_READY, 1_000) }))
    expect(merged(m).agent?.state).toBe('ready')
  })

  it('forgets what only the dead node knew once another is alive', () => {
    let m = take(emptyMerge, a, snapshot({ calls: [callAt(CallState.TALKING, 5)] }))
    m = take(m, b, snapshot({}))
    expect(merged(m).calls).toHaveLength(1)
    m = lose(m, a)
    expect(merged(m).calls).toHaveLength(0)
  })

  it('shows the last known with no node alive', () => {
    let m = take(emptyMerge, a, snapshot({ agent: agentAt(AgentState.TALKING, 1), calls: [callAt(CallState.TALKING, 5)] }))
    m = lose(m, a)
    expect(merged(m).calls).toHaveLength(1)
    expect(merged(m).agent?.state).toBe('talking')
  })

  it('counts the cloud as reached when any node reaches it', () => {
    let m = take(emptyMerge, a, snapshot({ siteMode: { cloudConnected: true, recordsWaiting: 0n } }))
    m = take(m, b, snapshot({ siteMode: { cloudConnected: false, recordsWaiting: 9n } }))
    expect(merged(m).siteMode?.cloudConnected).toBe(true)
    m = lose(m, a)
    expect(merged(m).siteMode).toMatchObject({ cloudConnected: false, recordsWaiting: 9 })
  })

  it("takes a command's answer as news, but never as older news", () => {
    let m = take(emptyMerge, a, snapshot({ agent: agentAt(AgentState.NOT_READY, 1_000), calls: [callAt(CallState.OFFERED, 4)] }))
    m = takeAnswer(m, { agent: agentAt(AgentState.READY, 2_000), call: callAt(CallState.TALKING, 5) })
    expect(merged(m)).toMatchObject({ agent: { state: 'ready' }, calls: [{ state: 'talking' }] })
    m = takeAnswer(m, { agent: agentAt(AgentState.OFFLINE, 500), call: callAt(CallState.OFFERED, 4) })
    expect(merged(m)).toMatchObject({ agent: { state: 'ready' }, calls: [{ state: 'talking' }] })
  })

  it('keeps the higher count of today, and starts again at midnight', () => {
    const stats = (day: number, handled: number) => ({
      case: 'stats' as const,
      value: create(StatsSchema, { since: timestampFromMs(day), handled }),
    })
    let m = take(emptyMerge, a, snapshot({}))
    m = take(m, b, snapshot({}))
    m = take(m, a, stats(1, 8))
    m = take(m, b, stats(1, 7))
    expect(merged(m).stats?.handled).toBe(8)
    m = take(m, b, stats(2, 0))
    expect(merged(m).stats?.handled).toBe(0)
  })
})
