import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, it, vi } from 'vitest'
import { faultOf } from './fault'
import { type CallerEvent, CallerEventSchema } from './gen/trunkline/agent/v1/agent_pb'
import { FaultSchema } from './gen/trunkline/fault/v1/fault_pb'
import { type Heard, type Sharing, share } from './shared-stream'

/** Locks and channels as tabs of one browser share them. */
function browser(): Sharing {
  const queue: (() => void)[] = []
  let held = false
  const open = new Set<{ onmessage: ((event: MessageEvent) => void) | null }>()
  const request = async (_: string, { signal }: LockOptions, run: () => Promise<void>) => {
    if (held) {
      await new Promise<void>((resolve, reject) => {
        queue.push(resolve)
        signal?.addEventListener('abort', () => {
          queue.splice(queue.indexOf(resolve), 1)
          reject(signal.reason)
        })
      })
    }
    held = true
    try {
      await run()
    } finally {
      held = false
      queue.shift()?.()
    }
  }
  const channel = () => {
    const own = {
      onmessage: null as ((event: MessageEvent) => void) | null,
      postMessage: (data: unknown) => {
        for (const other of open) if (other !== own) other.onmessage?.({ data: structuredClone(data) } as MessageEvent)
      },
      close: () => open.delete(own),
    }
    open.add(own)
    return own as unknown as BroadcastChannel
  }
  return { locks: { request } as unknown as LockManager, channel }
}

const event = (state: string) => ({ message: create(CallerEventSchema, { state }), at: 1 })
const states = (heard: Heard<typeof CallerEventSchema>[]) =>
  heard.map((h) => ('message' in h ? (h.message as CallerEvent).state : faultOf(h.error).message))

/** A tab: what it heard, whether it opened the stream, and what its stream says next. */
function tab(by: Sharing) {
  const heard: Heard<typeof CallerEventSchema>[] = []
  const stop = new AbortController()
  let say: ((heard: Heard<typeof CallerEventSchema>) => void) | undefined
  const run = vi.fn((tell: typeof say, signal: AbortSignal) => {
    say = tell
    return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  })
  const over = share({ name: 's', schema: CallerEventSchema, run, hear: (h) => heard.push(h), signal: stop.signal }, by)
  const close = () => {
    stop.abort()
    return over
  }
  return { heard, run, say: (h: Heard<typeof CallerEventSchema>) => say?.(h), close }
}

describe('a shared stream', () => {
  it('is opened by one tab and heard by all, by a newcomer at once', async () => {
    const by = browser()
    const [first, second] = [tab(by), tab(by)]
    first.say(event('menu'))
    const late = tab(by)
    first.say(event('queued'))
    expect([first, second, late].map(({ heard }) => states(heard))).toEqual([
      ['menu', 'queued'],
      ['menu', 'queued'],
      ['menu', 'queued'],
    ])
    expect([first, second, late].map(({ run }) => run.mock.calls.length)).toEqual([1, 0, 0])
    await Promise.all([second.close(), late.close(), first.close()])
  })

  it('goes to the next tab when its holder closes', async () => {
    const by = browser()
    const [first, second] = [tab(by), tab(by)]
    await first.close()
    await vi.waitFor(() => expect(second.run).toHaveBeenCalledTimes(1))
    second.say(event('talking'))
    expect(states(second.heard)).toEqual(['talking'])
    expect(first.heard).toEqual([])
    await second.close()
  })

  it('carries an error with its words to the others', async () => {
    const by = browser()
    const [first, second] = [tab(by), tab(by)]
    const fault = create(FaultSchema, { messageKey: 'fault.site.not_found', reference: '7K3QF0Z9TA' })
    first.say({ error: new ConnectError('', Code.NotFound, undefined, [{ desc: FaultSchema, value: fault }]) })
    expect(states(second.heard)).toEqual(['This site is not there.'])
    await Promise.all([second.close(), first.close()])
  })
})
