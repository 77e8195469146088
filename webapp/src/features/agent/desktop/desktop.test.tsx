import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { act, cleanup, fireEvent, render, screen, within } from '@testing-library/react'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { FaultSchema } from '@/api/gen/trunkline/fault/v1/fault_pb'
import { UiProvider } from '@/ui'
import { CredentialStore } from '../session/credentials'
import { AgentSession } from '../session/session'
import {
  AgentState,
  agentAt,
  CallState,
  ConsultState,
  callAt,
  callId,
  FakeChannels,
  FakeLocks,
  FakeSite,
  fakeStorage,
} from '../session/testing'
import { pageTimer } from '../session/timer'
import { Softphone } from '../softphone/softphone'
import { FakeBrowser } from '../softphone/testing'
import { desk } from './desk'
import { DesktopPage } from './desktop-page'

const start = 1_700_000_000_000
let site: FakeSite
let browser: FakeBrowser
let session: AgentSession

const settle = (ms = 0) => act(() => vi.advanceTimersByTimeAsync(ms))

async function open(more: FakeSite['snapshot'] = {}) {
  site.snapshot = {
    agent: agentAt(AgentState.NOT_READY, start, { reason: 'signed_in' }),
    siteMode: { cloudConnected: true },
    stats: { handled: 4, missed: 1, talkMs: 600_000n, wrapUpMs: 120_000n },
    queues: { queues: [{ id: 'q1', name: 'Support', waiting: 3, longestSince: timestampFromMs(start - 65_000) }] },
    breakReasons: [{ id: 'lunch', name: 'Lunch' }],
    wrapUpCodes: [{ id: 'sold', name: 'Sold something' }],
    ...more,
  } as FakeSite['snapshot']
  session = new AgentSession({
    own: 'http://n1',
    connect: (url, token) => site.node(url).client(token),
    credentials: new CredentialStore(fakeStorage()),
    timer: pageTimer,
    audio: (hooks) => new Softphone(browser.asBrowser(), hooks),
    locks: new FakeLocks() as unknown as LockManager,
    channel: new FakeChannels().open(),
    handover: { grant: 'g' },
  })
  session.start()
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <DesktopPage session={session} />
      </UiProvider>
    </I18nProvider>,
  )
  await settle()
}

const offered = () =>
  callAt(CallState.OFFERED, 3, {
    offeredAt: timestampFromMs(start),
    offerDeadline: timestampFromMs(start + 20_000),
    enqueuedAt: timestampFromMs(start - 30_000),
    menuPath: ['Support', 'Billing'],
  })

async function talking() {
  await open()
  site.send({ case: 'call', value: callAt(CallState.TALKING, 4, { talkingSince: timestampFromMs(start) }) })
  site.send({ case: 'agent', value: agentAt(AgentState.TALKING, start + 1) })
  await settle()
}

const key = async (pressed: string, target: Element = document.body) => {
  fireEvent.keyDown(target, { key: pressed })
  await settle()
}

beforeEach(() => {
  vi.useFakeTimers({ now: start })
  localStorage.clear()
  desk.setState({ view: 'work', selected: undefined, past: [] })
  site = new FakeSite(['http://n1', 'http://n2'])
  browser = new FakeBrowser()
  site.node('http://n1').answer = (name) => (name === 'negotiate' ? { sdpAnswer: 'v=0 answer' } : {})
  // What the test's browser lacks: fonts, sound, media devices.
  Object.defineProperty(document, 'fonts', { value: new EventTarget(), configurable: true })
  Object.defineProperty(navigator, 'mediaDevices', { value: browser.devices, configurable: true })
})
afterEach(() => {
  cleanup()
  session.stop()
  vi.useRealTimers()
})

describe('the desktop', () => {
  it('shows state with reason, the day and the queues', async () => {
    await open()
    expect(screen.getByTestId('agent-state').textContent).toContain('Not readyjust signed in')
    expect(screen.getByTestId('agent-state').textContent).toContain('just signed in')
    expect(screen.getByTestId('today-handled').textContent).toBe('4')
    expect(screen.getByTestId('today-aht').textContent).toBe('3:00')
    expect(screen.getByTestId('queues').textContent).toContain('3 waiting')
    expect(screen.getByTestId('queues').textContent).toContain('1:05')
    expect(screen.getByTestId('links').dataset.alive).toBe('2')
  })

  it('goes ready, but not without a microphone', async () => {
    await open()
    const node = site.node('http://n1')
    node.answer = () => agentAt(AgentState.READY, start + 5)
    browser.devices.inputs = []
    fireEvent.click(screen.getByTestId('ready'))
    await settle()
    expect(node.commands).toEqual([])
    expect(screen.getByTestId('check-microphone').textContent).toContain('No microphone is connected')
    browser.devices.inputs = ['Headset']
    fireEvent.click(screen.getByTestId('ready'))
    await settle()
    expect(node.commands.map(({ name }) => name)).toEqual(['setState'])
    expect(screen.getByTestId('agent-state').dataset.state).toBe('ready')
  })

  it('says who calls, from where, how long they wait and how long is left, and answers by key', async () => {
    await open()
    site.send({ case: 'call', value: offered() })
    await settle(20)
    const card = within(screen.getByTestId('offer-card'))
    expect(card.getByTestId('offer-caller').textContent).toBe('+86 10 1234 5678')
    expect(card.getByTestId('call-queue').textContent).toBe('Queue Support')
    expect(card.getByTestId('call-menu-path').textContent).toBe('Support › Billing')
    expect(card.getByTestId('offer-wait').textContent).toMatch(/0:30/)
    expect(card.getByTestId('offer-countdown').textContent).toMatch(/0:20 left/)
    expect(window.__trunkline?.timings.at(-1)).toMatchObject({ name: 'offer_shown', callId })
    expect(browser.output.open).toBe(false)

    site.node('http://n1').answer = () => callAt(CallState.TALKING, 4, { talkingSince: timestampFromMs(start) })
    await key('a')
    expect(screen.getByTestId('talk-strip').dataset.callState).toBe('talking')
    expect(screen.queryByTestId('offer-card')).toBeNull()
    expect(browser.output.open).toBe(true)
    expect(browser.last.track?.enabled).toBe(true)
  })

  it('passes the caller on, by keys alone, to who is free', async () => {
    await talking()
    const node = site.node('http://n1')
    const free = { id: 'a2', name: 'Ben', state: AgentState.READY, ringable: true, since: timestampFromMs(start) }
    const busy = { id: 'a3', name: 'Cy', state: AgentState.TALKING, since: timestampFromMs(start) }
    let list: object = { queues: [{ id: 'q2', name: 'Billing', waiting: 2, ready: 1 }], agents: [free, busy] }
    node.answer = (name) => (name === 'listTargets' ? list : {})
    await key('t')
    await settle(50)
    expect(screen.getByTestId('transfer-queue').textContent).toContain('2 waiting, 1 ready')
    expect(screen.getAllByTestId('transfer-agent').map((row) => row.hasAttribute('data-combobox-disabled'))).toEqual([false, true])

    // What is shown follows the site.
    list = { agents: [{ ...free, name: 'Benedict' }] }
    await settle(1_100)
    expect(screen.queryByTestId('transfer-queue')).toBeNull()
    const search = screen.getByTestId('transfer-search')
    fireEvent.keyDown(search, { key: 'Enter', code: 'Enter' })
    await settle()
    const sent = node.commands.filter(({ name }) => name === 'transfer')
    expect(sent).toHaveLength(1)
    expect(sent[0]?.request).toMatchObject({ callId, agentId: 'a2', queueId: '' })
    expect(screen.queryByTestId('transfer-search')).toBeNull()
    expect(session.store.getState().pending[callId]).toEqual({ transfer: 'Benedict' })
    site.send({ case: 'call', value: callAt(CallState.WRAP_UP, 5) })
    await settle()
    expect(session.store.getState().pending[callId]).toBeUndefined()
  })

  it('asks a colleague by keys, goes to and fro, and connects the two', async () => {
    await talking()
    const node = site.node('http://n1')
    const ben = { agentId: 'a2', name: 'Ben' }
    const at = (state: ConsultState, held: boolean, rev: number) =>
      callAt(held ? CallState.HELD : CallState.TALKING, rev, {
        held,
        talkingSince: timestampFromMs(start),
        consult: { ...ben, state },
      })
    const agents = [{ id: 'a2', name: 'Ben', state: AgentState.READY, ringable: true, since: timestampFromMs(start) }]
    node.answer = (name) => (name === 'listTargets' ? { agents, queues: [{ id: 'q2', name: 'Billing' }] } : {})
    await key('c')
    await settle(50)
    expect(screen.queryByTestId('transfer-queue')).toBeNull() // a queue cannot be asked
    node.answer = () => at(ConsultState.RINGING, true, 5)
    fireEvent.keyDown(screen.getByTestId('transfer-search'), { key: 'Enter', code: 'Enter' })
    await settle()
    expect(node.commands.filter(({ name }) => name === 'consult').map(({ request }) => request)).toMatchObject([
      { callId, agentId: 'a2' },
    ])
    const line = () => screen.getByTestId('consult-line').textContent
    expect(line()).toBe('Ringing at Ben. The caller hears music.')
    expect(browser.last.track?.enabled).toBe(false)
    expect(screen.queryByTestId('hangup')).toBeNull()

    site.send({ case: 'call', value: at(ConsultState.TALKING, true, 6) })
    await settle()
    expect(line()).toBe('You talk with Ben. The caller hears music.')
    expect(browser.last.track?.enabled).toBe(true) // Ben hears, although the caller is held
    node.answer = () => at(ConsultState.WAITING, false, 7)
    await key('h')
    expect(node.commands.at(-1)).toMatchObject({ name: 'hold', request: { on: false } })
    expect(line()).toBe('You talk with the caller. Ben hears music.')
    node.answer = () => ({})
    await key('t')
    expect(node.commands.at(-1)).toMatchObject({ name: 'transfer', request: { agentId: 'a2' } })
  })

  it('goes back to the caller, and says why a colleague could not be asked', async () => {
    await talking()
    const node = site.node('http://n1')
    const held = { held: true, talkingSince: timestampFromMs(start) }
    site.send({
      case: 'call',
      value: callAt(CallState.HELD, 5, { ...held, consult: { agentId: 'a2', name: 'Ben', state: ConsultState.TALKING } }),
    })
    await settle()
    node.answer = () => callAt(CallState.TALKING, 6, { talkingSince: timestampFromMs(start) })
    await key('e')
    expect(node.commands.at(-1)).toMatchObject({ name: 'endConsult', request: { callId } })
    expect(screen.queryByTestId('consult-line')).toBeNull()
    site.send({
      case: 'call',
      value: callAt(CallState.HELD, 7, {
        ...held,
        consult: { agentId: 'a2', name: 'Ben', state: ConsultState.ENDED, outcome: 'no_answer' },
      }),
    })
    await settle()
    expect(screen.getByTestId('consult-line').textContent).toBe('Ben did not answer. The caller still hears music.')
    expect(screen.getByTestId('hold').textContent).toContain('Take back')
  })

  it('shows who is asked what they may do: speak and leave', async () => {
    await open()
    const consult = { agentId: 'a9', name: 'Ann', asked: true }
    site.send({
      case: 'call',
      value: callAt(CallState.OFFERED, 3, {
        offeredAt: timestampFromMs(start),
        offerDeadline: timestampFromMs(start + 20_000),
        consult: { ...consult, state: ConsultState.RINGING },
      }),
    })
    await settle(20)
    expect(within(screen.getByTestId('offer-card')).getByTestId('consult-line').textContent).toBe('Ann asks you about this caller')
    const talks = { talkingSince: timestampFromMs(start) }
    site.send({
      case: 'call',
      value: callAt(CallState.TALKING, 4, { ...talks, consult: { ...consult, state: ConsultState.TALKING } }),
    })
    await settle()
    expect(browser.last.track?.enabled).toBe(true)
    for (const id of ['hold', 'transfer', 'swap', 'complete']) expect(screen.queryByTestId(id)).toBeNull()
    site.send({
      case: 'call',
      value: callAt(CallState.HELD, 5, { ...talks, held: true, consult: { ...consult, state: ConsultState.WAITING } }),
    })
    await settle()
    expect(screen.getByTestId('talk-strip').textContent).toContain('Ann talks with the caller. You hear music.')
    const node = site.node('http://n1')
    const sent = node.commands.length
    await key('h') // there is nobody to hold
    expect(node.commands).toHaveLength(sent)
    await key('e')
    expect(node.commands.at(-1)?.name).toBe('hangup')
    // Whoever is not asked any more has missed nobody.
    site.send({ case: 'call', value: callAt(CallState.ENDED, 6) })
    await settle()
    expect(screen.queryByTestId('lost-offer')).toBeNull()
  })

  it('passes the caller on to a number outside, as the site understood it', async () => {
    await talking()
    const node = site.node('http://n1')
    let number: object = { number: '+43150000', callable: false, problem: 'prefix' }
    node.answer = (name) => (name === 'listTargets' ? { number } : {})
    await key('t')
    await settle(50)
    fireEvent.change(screen.getByTestId('transfer-search'), { target: { value: '030 5550100' } })
    await settle(200)
    expect(node.commands.filter(({ name }) => name === 'listTargets').at(-1)?.request).toMatchObject({
      callId,
      query: '030 5550100',
    })
    const option = () => screen.getByTestId('transfer-number')
    expect(option().textContent).toContain('Numbers of this country or area are not allowed.')
    fireEvent.click(option())
    await settle()
    expect(node.commands.filter(({ name }) => name === 'transfer')).toHaveLength(0)

    number = { number: '+49305550100', callable: true }
    await settle(1_100)
    expect(option().textContent).toContain('+49 30 5550100')
    fireEvent.keyDown(screen.getByTestId('transfer-search'), { key: 'Enter', code: 'Enter' })
    await settle()
    const sent = node.commands.filter(({ name }) => name === 'transfer')
    expect(sent).toHaveLength(1)
    expect(sent[0]?.request).toMatchObject({ callId, number: '+49305550100', agentId: '', queueId: '' })
    expect(session.store.getState().pending[callId]).toEqual({ transfer: '+49 30 5550100' })
  })

  it('leaves the caller with the agent when the target cannot be rung, and says why', async () => {
    await talking()
    const node = site.node('http://n1')
    node.answer = (name) => {
      if (name === 'listTargets') return { queues: [{ id: 'q2', name: 'Billing', waiting: 9, ready: 0 }] }
      throw new ConnectError('full', Code.FailedPrecondition, undefined, [
        { desc: FaultSchema, value: { kind: 'conflict', messageKey: 'fault.transfer.queue_full' } },
      ])
    }
    await key('t')
    await settle(50)
    fireEvent.click(screen.getByTestId('transfer-queue'))
    await settle(50)
    expect(session.store.getState().pending[callId]?.transfer).toBeUndefined()
    expect(screen.getByTestId('talk-strip').dataset.callState).toBe('talking')
    expect(document.body.textContent).toContain('The queue is full.')
  })

  it('says in the picker that the site does not answer, and keeps what was known', async () => {
    await talking()
    const node = site.node('http://n1')
    let down = false
    node.answer = () => {
      if (down) throw new ConnectError('away', Code.FailedPrecondition)
      return { queues: [{ id: 'q2', name: 'Billing', waiting: 9, ready: 0 }] }
    }
    await key('t')
    await settle(50)
    expect(screen.queryByTestId('transfer-stale')).toBeNull()
    down = true
    await settle(1_100)
    expect(screen.getByTestId('transfer-stale')).toBeTruthy()
    expect(screen.getByTestId('transfer-queue')).toBeTruthy()
    down = false
    await settle(1_100)
    expect(screen.queryByTestId('transfer-stale')).toBeNull()
  })

  it('explains the offer that was missed', async () => {
    await open()
    site.send({ case: 'call', value: offered() })
    await settle()
    site.send({ case: 'call', value: callAt(CallState.ENDED, 4, { endReason: 'no_answer' }) })
    site.send({ case: 'agent', value: agentAt(AgentState.NOT_READY, start + 9, { reason: 'no_answer' }) })
    await settle()
    expect(screen.getByTestId('lost-offer').textContent).toContain('until the time to answer was over')
    expect(screen.getByTestId('agent-state').textContent).toContain('did not answer')
    expect(screen.getByText(/no more calls are offered until you go ready/)).toBeTruthy()
  })

  it('mutes and holds at once; keys do nothing in text fields', async () => {
    await talking()
    fireEvent.click(screen.getByTestId('mute'))
    await settle()
    expect(browser.last.track?.enabled).toBe(false)
    expect(screen.getByTestId('mute').getAttribute('aria-pressed')).toBe('true')
    await key('m')
    expect(browser.last.track?.enabled).toBe(true)
    const note = screen.getByTestId('wrap-up-note')
    await key('m', note)
    expect(browser.last.track?.enabled).toBe(true)
    site.node('http://n1').answer = () => callAt(CallState.HELD, 5, { held: true })
    await key('h')
    expect(screen.getByTestId('talk-strip').dataset.callState).toBe('held')
    expect(browser.last.track?.enabled).toBe(false)
  })

  it('sends digits from the keypad', async () => {
    await talking()
    await key('k')
    await settle(200)
    fireEvent.click(screen.getByTestId('digit-5'))
    fireEvent.click(screen.getByTestId('digit-#'))
    await settle()
    expect(screen.getByTestId('sent-digits').textContent).toBe('5#')
    expect(site.node('http://n1').commands.filter(({ name }) => name === 'sendDigits')).toHaveLength(2)
  })

  it('keeps code and note, and finishes the wrap-up', async () => {
    await talking()
    fireEvent.change(screen.getByTestId('wrap-up-note'), { target: { value: 'wants a refund' } })
    site.send({
      case: 'call',
      value: callAt(CallState.WRAP_UP, 2, { endReason: 'caller', wrapUpDeadline: timestampFromMs(start + 30_000) }),
    })
    site.send({ case: 'agent', value: agentAt(AgentState.WRAP_UP, start + 10) })
    await settle(100)
    expect(screen.queryByTestId('talk-strip')).toBeNull()
    expect((screen.getByTestId('wrap-up-note') as HTMLTextAreaElement).value).toBe('wants a refund')
    expect(screen.getByTestId('wrap-up-countdown').textContent).toContain('0:30')
    fireEvent.change(screen.getByTestId('wrap-up-code'), { target: { value: 'sold' } })
    await settle(1_000)
    expect(screen.getByTestId('draft-state').dataset.state).toBe('saved')
    site.node('http://n1').answer = () => agentAt(AgentState.READY, start + 20)
    fireEvent.click(screen.getByTestId('finish'))
    await settle()
    site.send({ case: 'call', value: callAt(CallState.ENDED, 3) })
    await settle()
    expect(screen.getByTestId('agent-state').dataset.state).toBe('ready')
    expect(screen.getByTestId('rail-past').textContent).toContain('+86 10 1234 5678')
  })

  it('says site mode and how much waits', async () => {
    await open({ siteMode: { cloudConnected: false, recordsWaiting: 3n, cloudSeenAt: timestampFromMs(start - 60_000) } })
    expect(screen.getByTestId('site-mode').textContent).toContain('Calls work as always')
    expect(screen.getByTestId('records-waiting').textContent).toContain('3 records wait')
  })

  it('says that no node answers, and keeps the call on the screen', async () => {
    await talking()
    for (const node of site.nodes) node.kill()
    await settle()
    expect(screen.getByTestId('connection-lost').textContent).toContain('The call goes on')
    expect(screen.getByTestId('talk-strip')).toBeTruthy()
  })

  it('offers to sign out only when no caller would be lost by it', async () => {
    // The menu's focus trap finds nothing to focus in a page without layout, and says so.
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    await talking()
    const signOut = async () => {
      fireEvent.click(screen.getByRole('button', { name: 'You: Ada' }))
      await settle(300)
      return screen.getByTestId<HTMLButtonElement>('sign-out')
    }
    expect((await signOut()).disabled).toBe(true)
    await key('Escape')
    site.send({ case: 'call', value: callAt(CallState.ENDED, 5) })
    await settle(300)
    expect((await signOut()).disabled).toBe(false)
  })

  it('says why the session ended', async () => {
    await open()
    site.send({ case: 'signedOut', value: { reason: 'suspended' } })
    await settle()
    expect(screen.getByTestId('signed-out').dataset.reason).toBe('suspended')
    expect(screen.getByText('Your company is suspended')).toBeTruthy()
  })

  it('shows the keys with ?, and lets them be changed', async () => {
    await open()
    await key('?')
    fireEvent.click(screen.getByRole('button', { name: 'Change the key: Answer the call' }))
    await settle()
    fireEvent.keyDown(window, { key: 'z' })
    await settle()
    expect(within(screen.getByTestId('key-list')).getByText('Z')).toBeTruthy()
    await key('Escape')
    expect(screen.queryByTestId('key-list')).toBeNull()
  })
})
