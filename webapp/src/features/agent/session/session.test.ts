import { Code, ConnectError } from '@connectrpc/connect'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FaultSchema } from '@/api/gen/trunkline/fault/v1/fault_pb'
import { CredentialStore } from './credentials'
import { AgentSession, type AudioHooks, type SessionConfig } from './session'
import type { LegWish } from './state'
import { faultViewOf } from './tabs'
import { AgentState, agentAt, CallState, callAt, callId, FakeChannels, FakeLocks, FakeSite, fakeStorage } from './testing'
import { pageTimer } from './timer'

const urls = ['http://n1', 'http://n2', 'http://n3']

function browser(site: FakeSite, storage = fakeStorage()) {
  const locks = new FakeLocks()
  const channels = new FakeChannels()
  const sessions: AgentSession[] = []
  const tab = (more: Partial<SessionConfig> = {}) => {
    const wishes: LegWish[][] = []
    let stopped = 0
    const session = new AgentSession({
      own: 'http://n1',
      connect: (url, token) => site.node(url).client(token),
      credentials: new CredentialStore(storage),
      timer: pageTimer,
      locks: locks as unknown as LockManager,
      channel: channels.open(),
      audio: (_hooks: AudioHooks) => ({ sync: (w) => void wishes.push(w), stop: () => void stopped++ }),
      ...more,
    })
    session.start()
    sessions.push(session)
    return { session, state: () => session.store.getState(), wishes: () => wishes.at(-1) ?? [], audioStopped: () => stopped }
  }
  return { tab, storage, stop: () => sessions.forEach((session) => void session.stop()) }
}

/** Lets promises run; time stands still. */
const settle = () => vi.advanceTimersByTimeAsync(0)

/** Time passes while the nodes beat. */
async function pass(site: FakeSite, ms: number, step = 500) {
  for (let left = ms; left > 0; left -= step) {
    site.beat()
    await vi.advanceTimersByTimeAsync(Math.min(left, step))
  }
}

let site: FakeSite
let here: ReturnType<typeof browser>
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  site = new FakeSite(urls)
  here = browser(site)
})
afterEach(() => {
  here.stop()
  vi.useRealTimers()
})

describe('signing in at the site', () => {
  it('exchanges the grant, listens to two nodes, and needs neither grant nor cloud after a reload', async () => {
    const first = here.tab({ handover: { grant: 'cloud-token' } })
    await settle()
    expect(first.state()).toMatchObject({
      phase: 'running',
      connection: 'live',
      role: 'leader',
      agent: { name: 'Ada', state: 'not_ready' },
    })
    expect(first.state().links.map(({ url, alive }) => [url, alive])).toEqual([
      ['http://n1', true],
      ['http://n2', true],
    ])
    first.session.stop()
    const again = here.tab()
    await settle()
    expect(again.state()).toMatchObject({ phase: 'running', connection: 'live' })
  })

  it.each([-3, 3])('does not let a clock that is %i days off end the session', async (days) => {
    site = new FakeSite(urls, () => Date.now() + days * 86_400_000)
    here = browser(site)
    const tab = here.tab({ handover: { grant: 'g' } })
    await settle()
    expect(tab.state()).toMatchObject({ phase: 'running', connection: 'live', clockOffset: days * 86_400_000 })
  })

  it('says so when nobody is signed in', async () => {
    const tab = here.tab()
    await settle()
    expect(tab.state().phase).toBe('absent')
  })

  it('says why the grant was refused', async () => {
    site.node('http://n1').refuse = Code.Unauthenticated
    const tab = here.tab({ handover: { grant: 'old' } })
    await settle()
    expect(tab.state()).toMatchObject({ phase: 'absent', fault: { kind: 'unauthenticated' } })
  })

  it('takes a session from another node of the site', async () => {
    const tab = here.tab({ handover: { session: 'session-9' } })
    await settle()
    expect(tab.state().connection).toBe('live')
    expect(tab.session.addressAt('http://n2')).toBe('http://n2/desktop#session=session-9')
  })

  it('ends with the reason the site gives, and forgets the session', async () => {
    const tab = here.tab({ handover: { grant: 'g' } })
    await settle()
    site.send({ case: 'signedOut', value: { reason: 'suspended' } })
    await settle()
    expect(tab.state()).toMatchObject({ phase: 'ended', ended: 'suspended' })
    expect(new CredentialStore(here.storage).load()).toBeUndefined()
  })

  it('believes that the session is over only when every node says so again and again', async () => {
    const tab = here.tab({ handover: { grant: 'g' } })
    await settle()
    site.node('http://n2').refuse = Code.Unauthenticated
    site.node('http://n2').kill()
    site.node('http://n2').restart()
    await pass(site, 10_000)
    expect(tab.state()).toMatchObject({ phase: 'running', connection: 'live' })
    for (const node of site.nodes) {
      node.kill()
      node.restart()
      node.refuse = Code.Unauthenticated
    }
    await pass(site, 5_000)
    expect(tab.state()).toMatchObject({ phase: 'ended', ended: 'expired' })
  })
})

describe('streams', () => {
  it('goes on with the other node when one dies, and finds a third', async () => {
    const tab = here.tab({ handover: { grant: 'g' } })
    await settle()
    site.node('http://n1').kill()
    await settle()
    expect(tab.state().connection).toBe('live')
    await pass(site, 1_000)
    expect(tab.state().links.map(({ url, alive }) => [url, alive])).toEqual([
      ['http://n2', true],
      ['http://n3', true],
    ])
  })

  it('takes a node for dead after three silent seconds', async () => {
    const tab = here.tab({ handover: { grant: 'g' } })
    await settle()
    const silent = site.node('http://n2')
    silent.mute = true
    await pass(site, 2_500)
    expect(tab.state().links.find(({ url }) => url === 'http://n2')?.alive).toBe(true)
    await pass(site, 1_500)
    expect(tab.state().links.some(({ url }) => url === 'http://n2')).toBe(false)
    expect(tab.state().connection).toBe('live')
  })

  it('resumes where it stopped, and takes a snapshot from a node that started anew', async () => {
    site = new FakeSite(['http://n1'])
    here = browser(site)
    const tab = here.tab({ handover: { grant: 'g' } })
    await settle()
    const node = site.node('http://n1')
    node.send({ case: 'agent', value: agentAt(AgentState.READY, 2_000) })
    await settle()
    node.kill()
    node.dead = false
    await vi.advanceTimersByTimeAsync(1_000)
    expect(node.subscribed).toEqual([
      { epoch: 0n, afterSeq: 0n },
      { epoch: 1n, afterSeq: 1n },
    ])
    expect(tab.state().agent?.state).toBe('ready')
    node.kill()
    await settle()
    expect(tab.state()).toMatchObject({ connection: 'lost', agent: { state: 'ready' } })
    node.restart()
    await vi.advanceTimersByTimeAsync(3_000)
    expect(tab.state()).toMatchObject({ connection: 'live', agent: { state: 'not_ready' } })
  })

  it('does not knock without a pause while every node is away', async () => {
    let tries = 0
    const connect = (url: string, token: () => string) => {
      tries++
      return site.node(url).client(token)
    }
    here.tab({ handover: { grant: 'g' }, connect })
    await settle()
    for (const node of site.nodes) node.kill()
    const before = tries
    await vi.advanceTimersByTimeAsync(60_000)
    expect(tries - before).toBeGreaterThan(20)
    expect(tries - before).toBeLessThan(200)
  })

  it('knows the time of the site', async () => {
    site = new FakeSite(urls, () => Date.now() + 5_000)
    here = browser(site)
    const tab = here.tab({ handover: { grant: 'g' } })
    await settle()
    expect(tab.state().clockOffset).toBe(5_000)
  })
})

describe('thirty minutes without the cloud', () => {
  it('takes calls, survives a reload and the restart of each node, over the end of its twelve hours', async () => {
    const minute = 60_000
    const expiresAt = Date.now() + 10 * minute
    new CredentialStore(here.storage).save({ token: 'session-1', expiresAt, nodes: [] })
    site.snapshot = { agent: agentAt(AgentState.READY, 1_000), siteMode: { cloudConnected: false } }
    let tab = here.tab()
    await settle()
    for (let at = 0; at < 30; at++) {
      if (at % 10 === 5) {
        tab.session.stop()
        tab = here.tab()
        await settle()
      }
      const node = site.nodes[at % 3]
      if (at >= 20 && node) {
        node.kill()
        await pass(site, 10_000)
        node.restart()
      }
      const id = `${callId.slice(0, -2)}${10 + at}`
      site.send({ case: 'call', value: callAt(CallState.OFFERED, 3, { id }) })
      await settle()
      site.node('http://n1').answer = () => callAt(CallState.TALKING, 4, { id })
      await Promise.all([tab.session.run({ name: 'accept', callId: id }), pass(site, 500)])
      expect(tab.state()).toMatchObject({ calls: [{ id, state: 'talking' }] })
      site.send({ case: 'call', value: callAt(CallState.ENDED, 5, { id }) })
      await pass(site, minute, 2_500)
      expect(tab.state()).toMatchObject({ phase: 'running', connection: 'live', calls: [], siteMode: { cloudConnected: false } })
    }
    expect(Date.now()).toBeGreaterThan(expiresAt + 20 * minute)
    const tokens = site.nodes.flatMap(({ commands }) => commands.map(({ token }) => token))
    expect(tokens).toEqual(Array(30).fill('session-1'))
  })
})

describe('commands', () => {
  const ringing = async () => {
    const tab = here.tab({ handover: { grant: 'g' } })
    await settle()
    site.send({ case: 'call', value: callAt(CallState.OFFERED, 3, { nodeUrl: 'http://n2' }) })
    await settle()
    return tab
  }

  it('asks the node first, then opens the audio, before the node has answered', async () => {
    const tab = await ringing()
    expect(tab.wishes()).toEqual([{ callId, nodeUrl: 'http://n2', open: false, speak: false }])
    const node = site.node('http://n2')
    let answer: (call: unknown) => void = () => undefined
    node.answer = () => new Promise((resolve) => (answer = resolve))
    const done = tab.session.run({ name: 'accept', callId })
    expect(tab.wishes()).toMatchObject([{ open: false, speak: false }])
    await vi.waitFor(() => expect(tab.wishes()).toMatchObject([{ open: true, speak: true }]))
    expect(node.commands).toMatchObject([{ name: 'accept' }])
    expect(tab.state().calls).toMatchObject([{ state: 'offered' }])
    answer(callAt(CallState.TALKING, 4, { nodeUrl: 'http://n2' }))
    await settle()
    await done
    expect(tab.state()).toMatchObject({ calls: [{ state: 'talking' }], pending: {} })
    expect(node.commands).toMatchObject([{ name: 'accept', token: 'session-1' }])
  })

  it('reverts what was refused, with the reason', async () => {
    const tab = await ringing()
    site.send({ case: 'call', value: callAt(CallState.TALKING, 4, { nodeUrl: 'http://n2' }) })
    await settle()
    site.node('http://n2').answer = () => {
      throw new ConnectError('no', Code.FailedPrecondition)
    }
    const failed = tab.session.run({ name: 'hold', callId, on: true }).catch(faultViewOf)
    expect(tab.state().pending[callId]).toEqual({ hold: true })
    expect(await failed).toMatchObject({ kind: 'conflict' })
    expect(tab.state().pending[callId]?.hold).toBeUndefined()
  })

  it('mutes here and now, whatever the node says, and also after a reload', async () => {
    const tab = await ringing()
    site.send({ case: 'call', value: callAt(CallState.TALKING, 4, { nodeUrl: 'http://n2' }) })
    await settle()
    expect(tab.wishes()).toMatchObject([{ open: true, speak: true }])
    site.node('http://n2').answer = () => {
      throw new ConnectError('no', Code.FailedPrecondition)
    }
    await tab.session.run({ name: 'mute', callId, on: true })
    expect(tab.wishes()).toMatchObject([{ open: true, speak: false }])
    site.snapshot = { ...site.snapshot, calls: [callAt(CallState.TALKING, 4)] }
    tab.session.stop()
    await settle()
    const again = here.tab()
    await settle()
    expect(again.wishes()).toMatchObject([{ open: true, speak: false }])
  })

  it('goes straight to the node that is named as the owner', async () => {
    const tab = await ringing()
    const details = [{ desc: FaultSchema, value: { messageKey: 'fault.call.elsewhere', params: { node: 'http://n3/' } } }]
    site.node('http://n2').answer = () => {
      throw new ConnectError('elsewhere', Code.FailedPrecondition, undefined, details)
    }
    site.node('http://n3').answer = () => callAt(CallState.TALKING, 4, { nodeUrl: 'http://n3' })
    await tab.session.run({ name: 'accept', callId })
    expect(site.node('http://n3').commands.map(({ key }) => key)).toEqual(site.node('http://n2').commands.map(({ key }) => key))
  })

  it('sends again under the same key to the node the call moved to', async () => {
    const tab = await ringing()
    site.node('http://n2').kill()
    site.node('http://n3').answer = () => callAt(CallState.TALKING, 6, { nodeUrl: 'http://n3' })
    const done = tab.session.run({ name: 'accept', callId })
    await vi.advanceTimersByTimeAsync(100)
    site.send({ case: 'call', value: callAt(CallState.OFFERED, 5, { nodeUrl: 'http://n3' }) })
    await vi.advanceTimersByTimeAsync(1_000)
    await done
    const keys = new Set(site.nodes.flatMap(({ commands }) => commands.map(({ key }) => key)))
    expect(keys.size).toBe(1)
    expect(tab.state().calls[0]).toMatchObject({ state: 'talking', nodeUrl: 'http://n3' })
  })

  it('gives up after some seconds, in words', async () => {
    const tab = await ringing()
    for (const node of site.nodes) node.kill()
    const failed = tab.session.run({ name: 'state', state: 'ready', reason: '' }).catch(faultViewOf)
    expect(tab.state().statePending).toBe('ready')
    await vi.advanceTimersByTimeAsync(6_000)
    expect(await failed).toMatchObject({ kind: 'unavailable' })
    expect(tab.state().statePending).toBeUndefined()
  })

  it('remembers the offer that went away, and why', async () => {
    const tab = await ringing()
    site.send({ case: 'call', value: callAt(CallState.ENDED, 4, { endReason: 'missed' }) })
    await settle()
    expect(tab.state().lostOffer).toMatchObject({ reason: 'missed', call: { caller: '+861012345678' } })
    expect(tab.wishes()).toEqual([])
  })
})

describe('several tabs', () => {
  it('lets one lead and the others show the same and command through it', async () => {
    const leader = here.tab({ handover: { grant: 'g' } })
    await settle()
    const remote = here.tab()
    await settle()
    expect(remote.state()).toMatchObject({ role: 'remote', phase: 'running', agent: { name: 'Ada' } })
    expect(site.node('http://n1').lines.size).toBe(1)
    site.node('http://n1').answer = () => agentAt(AgentState.READY, 2_000)
    const done = remote.session.run({ name: 'state', state: 'ready', reason: '' })
    await settle()
    await done
    expect(leader.state().agent?.state).toBe('ready')
    expect(remote.state().agent?.state).toBe('ready')
  })

  it('tells a remote in words why its command failed', async () => {
    here.tab({ handover: { grant: 'g' } })
    await settle()
    const remote = here.tab()
    await settle()
    site.node('http://n1').answer = () => {
      throw new ConnectError('no', Code.FailedPrecondition)
    }
    const failed = remote.session.run({ name: 'state', state: 'ready', reason: '' }).catch(faultViewOf)
    await settle()
    expect(await failed).toMatchObject({ kind: 'conflict' })
  })

  it('hands the call to the next tab when the leader closes', async () => {
    const leader = here.tab({ handover: { grant: 'g' } })
    await settle()
    site.snapshot = { agent: agentAt(AgentState.TALKING, 3_000), calls: [callAt(CallState.TALKING, 4)] }
    const second = here.tab()
    await settle()
    leader.session.stop()
    await settle()
    expect(second.state()).toMatchObject({ role: 'leader', connection: 'live' })
    expect(second.wishes()).toEqual([{ callId, nodeUrl: 'http://n1', open: true, speak: true }])
  })

  it('lets a person take the call over into this tab', async () => {
    const leader = here.tab({ handover: { grant: 'g' } })
    await settle()
    const second = here.tab()
    await settle()
    second.session.takeOver()
    await settle()
    expect(second.state().role).toBe('leader')
    expect(leader.state().role).toBe('remote')
    expect(leader.audioStopped()).toBe(1)
    second.session.stop()
    await settle()
    expect(leader.state()).toMatchObject({ role: 'leader', connection: 'live' })
  })

  it('does not let an old, signed-out tab stand in the way of a new grant', async () => {
    const old = here.tab()
    await settle()
    expect(old.state().phase).toBe('absent')
    const fresh = here.tab({ handover: { grant: 'g' } })
    await settle()
    expect(fresh.state()).toMatchObject({ role: 'leader', phase: 'running' })
    expect(old.state()).toMatchObject({ role: 'remote', phase: 'running' })
  })
})
