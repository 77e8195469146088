import type { DescMessage, DescMethodServerStreaming, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import type { Transport } from '@connectrpc/connect'
import { useEffect, useRef, useState } from 'react'
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
 * A server stream that is opened again when it drops. Closed while the tab is hidden: on HTTP/1.1 a browser has six
 * connections for all its tabs.
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

  // biome-ignore lint/correctness/useExhaustiveDependencies: key stands for the request's content
  useEffect(() => {
    if (!enabled || !visible) return
    const stop = new AbortController()
    const open = async () => {
      let attempt = 0
      let downSince = Date.now()
      while (!stop.signal.aborted) {
        try {
          for await (const message of watched(transport ?? cloudTransport(), method, request.current, silenceMs, stop.signal)) {
            attempt = 0
            downSince = 0
            const fresh = news.current?.(message) ?? true
            setState((old) => ({ latest: fresh ? message : old.latest, receivedAt: Date.now(), connected: true }))
          }
        } catch (error) {
          if (stop.signal.aborted) return
          setState((old) => ({ ...old, connected: false, error }))
        }
        downSince ||= Date.now()
        await pause(backoff(attempt++, Date.now() - downSince), stop.signal)
      }
    }
    void open()
    return () => stop.abort()
  }, [key, method, transport, enabled, visible, silenceMs])
  return state
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
