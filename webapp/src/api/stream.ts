import type { DescMessage, DescMethodServerStreaming, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import type { Transport } from '@connectrpc/connect'
import { useEffect, useRef, useState } from 'react'
import { sessionStore } from './session'
import { type Heard, share } from './shared-stream'
import { cloudTransport } from './transport'

export interface StreamState<T> {
  /** The newest message; kept while the stream is down. */
  latest?: T
  /** Local time of the newest message, heartbeats included. */
  receivedAt?: number
  connected: boolean
  /** Why it is down; undefined while it is up or was never up. */
  error?: unknown
}

export interface StreamOptions<T> {
  transport?: Transport
  /** No message for this long: the stream is dead and opened again. 0 = the server need not beat. */
  silenceMs?: number
  /** Tell a heartbeat from news: a message this refuses only counts as a sign of life. */
  isNews?: (message: T) => boolean
  enabled?: boolean
}

/** 200 ms, doubling to 2 s; 10 s after the first minute; half of it chance, so that browsers do not come back in step. */
export function backoff(attempt: number, downForMs: number, random = Math.random()): number {
  const base = downForMs > 60_000 ? 10_000 : Math.min(200 * 2 ** attempt, 2_000)
  return base / 2 + random * (base / 2)
}

/**
 * A server stream of the cloud that is opened again when it drops. One tab holds it for all that want the same; none does
 * while hidden. With a `transport` of one's own it is not shared.
 */
export function useStream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  input: MessageInitShape<I>,
  { transport, silenceMs = 0, isNews, enabled = true }: StreamOptions<MessageShape<O>> = {},
): StreamState<MessageShape<O>> {
  const [state, setState] = useState<StreamState<MessageShape<O>>>({ connected: false })
  const visible = useVisible()
  const key = JSON.stringify(input, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  const news = useRef(isNews)
  news.current = isNews
  const request = useRef(input)
  request.current = input

  // `key` stands for the content of the request.
  useEffect(() => {
    if (!enabled || !visible) return
    const stop = new AbortController()
    const hear = (heard: Heard<O>) => {
      if (stop.signal.aborted) return
      if ('error' in heard) return setState((old) => ({ ...old, connected: false, error: heard.error }))
      const fresh = news.current?.(heard.message) ?? true
      setState((old) => ({ latest: fresh ? heard.message : old.latest, receivedAt: heard.at, connected: true }))
    }
    const run = (tell: (heard: Heard<O>) => void, signal: AbortSignal) =>
      keepOpen(() => watched(transport ?? cloudTransport(), method, request.current, silenceMs, signal), tell, signal)
    const name = `trunkline ${method.parent.typeName}/${method.name} ${key} ${whose()}`
    // A stream to a node is led by whoever made its transport.
    void (transport ? run(hear, stop.signal) : share({ name, schema: method.output, run, hear, signal: stop.signal }))
    return () => stop.abort()
  }, [key, method, transport, enabled, visible, silenceMs])
  return state
}

/** Tabs of different people or companies share nothing. */
function whose(): string {
  const session = sessionStore.getState()
  return session.status === 'signed_in' ? `${session.me.accountId}/${session.me.membership?.tenantId ?? 0n}` : ''
}

/** Opens again and again until told to stop. */
async function keepOpen<O extends DescMessage>(
  open: () => AsyncIterable<MessageShape<O>>,
  tell: (heard: Heard<O>) => void,
  signal: AbortSignal,
): Promise<void> {
  let attempt = 0
  let downSince = Date.now()
  while (!signal.aborted) {
    try {
      for await (const message of open()) {
        attempt = 0
        downSince = 0
        tell({ message, at: Date.now() })
      }
    } catch (error) {
      if (signal.aborted) return
      tell({ error })
    }
    downSince ||= Date.now()
    await pause(backoff(attempt++, Date.now() - downSince), signal)
  }
}

/** One attempt: messages until the end, an error, or silence. */
async function* watched<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodServerStreaming<I, O>,
  input: MessageInitShape<I>,
  silenceMs: number,
  signal: AbortSignal,
) {
  const silent = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const alive = () => {
    clearTimeout(timer)
    if (silenceMs > 0) timer = setTimeout(() => silent.abort(), silenceMs)
  }
  alive()
  try {
    const only = (async function* () {
      yield input
    })()
    const response = await transport.stream(method, AbortSignal.any([signal, silent.signal]), undefined, undefined, only)
    for await (const message of response.message) {
      alive()
      yield message as MessageShape<O>
    }
  } finally {
    clearTimeout(timer)
  }
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

function useVisible(): boolean {
  const [visible, setVisible] = useState(() => document.visibilityState !== 'hidden')
  useEffect(() => {
    const look = () => setVisible(document.visibilityState !== 'hidden')
    document.addEventListener('visibilitychange', look)
    return () => document.removeEventListener('visibilitychange', look)
  }, [])
  return visible
}
