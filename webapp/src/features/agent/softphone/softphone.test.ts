import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AudioView, LegWish } from '../session/state'
import { chooseMicrophone } from './microphone'
import { Softphone } from './softphone'
import { FakeBrowser } from './testing'

const callId = '01890000-0000-7000-8000-0000000000c1'
const wish = (more: Partial<LegWish> = {}): LegWish => ({ callId, nodeUrl: 'http://n1', open: false, speak: false, ...more })
const settle = () => vi.advanceTimersByTimeAsync(0)

let browser: FakeBrowser
let phone: Softphone
let audio: AudioView
let negotiate: ReturnType<typeof vi.fn<(callId: string, sdp: string, legId: string) => Promise<string>>>

beforeEach(() => {
  vi.useFakeTimers()
  localStorage.clear()
  browser = new FakeBrowser()
  negotiate = vi.fn(async () => 'v=0 answer')
  phone = new Softphone(browser.asBrowser(), {
    negotiate,
    changed: (view) => {
      audio = view
    },
  })
})
afterEach(() => {
  phone.stop()
  vi.useRealTimers()
})

describe('a call that rings', () => {
  it('is negotiated at once with the codecs of the telephone, both directions shut', async () => {
    phone.sync([wish()], [{ urls: ['turn:t'], username: 'u', credential: 'c' }])
    await settle()
    expect(negotiate).toHaveBeenCalledWith(callId, 'v=0 offer', expect.stringMatching(/^[0-9a-f-]{14}7/))
    expect(browser.last.codecs.map(({ mimeType }) => mimeType)).toEqual(['audio/PCMU', 'audio/PCMA', 'audio/telephone-event'])
    expect(browser.last.config.iceServers).toEqual([{ urls: ['turn:t'], username: 'u', credential: 'c' }])
    expect(browser.last.remote).toBe('v=0 answer')
    expect(browser.last.track?.enabled).toBe(false)
    expect(browser.output.open).toBe(false)
    browser.last.become('connected')
    expect(audio.legs[callId]?.state).toBe('connected')
  })

  it('opens with the answer, on the leg that is there', async () => {
    phone.sync([wish()], [])
    await settle()
    phone.sync([wish({ open: true, speak: true })], [])
    expect(browser.last.track?.enabled).toBe(true)
    expect(browser.output.open).toBe(true)
    expect(browser.peers).toHaveLength(1)
    phone.sync([wish({ open: true, speak: false })], [])
    expect(browser.last.track?.enabled).toBe(false)
    expect(browser.output.open).toBe(true)
  })

  it('does not wait longer than a second for candidates', async () => {
    const waiting = browser.asBrowser()
    phone = new Softphone(
      { ...waiting, createPeer: (config) => Object.assign(waiting.createPeer(config), { iceGatheringState: 'gathering' }) },
      { negotiate, changed: () => {} },
    )
    phone.sync([wish()], [])
    await vi.advanceTimersByTimeAsync(990)
    expect(negotiate).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(20)
    expect(negotiate).toHaveBeenCalled()
  })

  it('lets go of the microphone and the connection when it is over', async () => {
    phone.sync([wish()], [])
    await settle()
    const { last, output, devices } = browser
    phone.sync([], [])
    expect(last.connectionState).toBe('closed')
    expect(output.stopped).toBe(true)
    expect(devices.opened.every((track) => track.readyState === 'ended')).toBe(true)
    expect(audio.legs).toEqual({})
  })
})

describe('a call that lasts', () => {
  const talking = async () => {
    phone.sync([wish({ open: true, speak: true })], [])
    await settle()
    browser.last.become('connected')
  }

  it('gets a new leg when it moves to another node, and is heard on the old one until then', async () => {
    await talking()
    const [old, before] = [browser.last, browser.output]
    phone.sync([wish({ open: true, speak: true, nodeUrl: 'http://n2' })], [])
    await settle()
    expect(negotiate).toHaveBeenCalledTimes(2)
    expect(new Set(negotiate.mock.calls.map(([, , leg]) => leg)).size).toBe(2)
    expect(old.connectionState).toBe('connected')
    browser.last.become('connected')
    expect(old.connectionState).toBe('closed')
    expect(before.stopped).toBe(true)
    expect(browser.last.track?.enabled).toBe(true)
    expect(browser.output.open).toBe(true)
  })

  it('gets a new leg when the connection fails', async () => {
    await talking()
    browser.last.become('failed')
    expect(audio.legs[callId]?.state).toBe('interrupted')
    await vi.advanceTimersByTimeAsync(250)
    expect(browser.peers).toHaveLength(2)
    browser.last.become('connected')
    expect(audio.legs[callId]?.state).toBe('connected')
  })

  it('gives a short interruption the chance to end by itself', async () => {
    await talking()
    browser.last.become('disconnected')
    await vi.advanceTimersByTimeAsync(800)
    browser.last.become('connected')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(browser.peers).toHaveLength(1)
    browser.last.become('disconnected')
    await vi.advanceTimersByTimeAsync(1_300)
    expect(browser.peers).toHaveLength(2)
  })

  it('tries on while the node does not answer', async () => {
    negotiate.mockRejectedValueOnce(new Error('away')).mockRejectedValueOnce(new Error('away'))
    phone.sync([wish({ open: true })], [])
    await settle()
    expect(audio.legs[callId]?.state).toBe('interrupted')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(negotiate).toHaveBeenCalledTimes(3)
  })

  it('tries again when nothing connects', async () => {
    phone.sync([wish({ open: true })], [])
    await settle()
    await vi.advanceTimersByTimeAsync(5_300)
    expect(browser.peers).toHaveLength(2)
  })
})

describe('the microphone', () => {
  it('is replaced by the next when it is unplugged, and the agent is told', async () => {
    phone.sync([wish({ open: true, speak: true })], [])
    await settle()
    expect(audio.microphone).toBe('Headset')
    browser.devices.unplug('Headset')
    await settle()
    expect(audio.switched).toMatchObject({ from: 'Headset', to: 'Built-in' })
    expect(browser.last.track).toMatchObject({ label: 'Built-in', enabled: true })
    expect(browser.peers).toHaveLength(1)
  })

  it('is the chosen one again as soon as that is back', async () => {
    chooseMicrophone('Jabra')
    phone.sync([wish({ open: true, speak: true })], [])
    await settle()
    expect(audio.microphone).toBe('Headset')
    browser.devices.plug('Jabra')
    await settle()
    expect(audio.microphone).toBe('Jabra')
  })

  it.each([
    ['NotAllowedError', 'denied'],
    ['NotFoundError', 'missing'],
    ['NotReadableError', 'busy'],
  ])('%s: the caller is heard all the same, and the agent learns why they are not', async (name, problem) => {
    browser.devices.problem = name
    phone.sync([wish({ open: true, speak: true })], [])
    await settle()
    expect(audio.problem).toBe(problem)
    expect(browser.last.remote).toBe('v=0 answer')
    browser.devices.problem = undefined
    browser.devices.plug('New')
    await settle()
    expect(audio.problem).toBeUndefined()
    expect(browser.last.track).toMatchObject({ label: 'New', enabled: true })
  })

  it('is left unprocessed for measurements', async () => {
    localStorage.setItem('trunkline.rawAudio', '1')
    phone.sync([wish()], [])
    await settle()
    expect(browser.devices.asked[0]).toMatchObject({ echoCancellation: false, noiseSuppression: false, autoGainControl: false })
  })
})
