import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { ConnectError } from '@connectrpc/connect'
import { FaultSchema } from './gen/trunkline/fault/v1/fault_pb'

/**
 * One stream for all tabs of this browser: the tab that holds the lock opens it and tells the others. On HTTP/1.1 a browser
 * has six connections per address for all its tabs; with a stream each, the seventh tab would hang.
 */
/** `at` is the local time a message came, in whichever tab. */
export type Heard<O extends DescMessage> = { message: MessageShape<O>; at: number } | { error: unknown }

export interface Sharing {
  locks: Pick<LockManager, 'request'>
  channel: (name: string) => BroadcastChannel
}

type News = { kind: 'message'; bytes: Uint8Array; at: number } | { kind: 'error'; code: number; text: string; fault?: Uint8Array }
/** `to` names the one tab a repeated message is for; `hello` asks for it. */
type Told = { news: News; to?: string } | { hello: string }

export interface SharedStream<O extends DescMessage> {
  /** The same for tabs that want the same: method, request, person. */
  name: string
  schema: O
  /** Opens the stream and keeps it open until aborted; only in the tab that leads. */
  run: (hear: (heard: Heard<O>) => void, signal: AbortSignal) => Promise<void>
  hear: (heard: Heard<O>) => void
  signal: AbortSignal
}

/** Undefined where the browser lacks what it takes (plain HTTP in a closed network): each tab then opens its own. */
export const sharing = (): Sharing | undefined =>
  typeof BroadcastChannel !== 'undefined' && navigator.locks
    ? { locks: navigator.locks, channel: (name) => new BroadcastChannel(name) }
    : undefined

export async function share<O extends DescMessage>(
  { name, schema, run, hear, signal }: SharedStream<O>,
  by = sharing(),
): Promise<void> {
  if (!by) return run(hear, signal)
  const channel = by.channel(name)
  let leading = false
  let latest: News | undefined
  const own = crypto.randomUUID()
  channel.onmessage = ({ data }: MessageEvent<Told>) => {
    if ('news' in data) {
      if (data.to === undefined || data.to === own) hear(heardOf(schema, data.news))
    } else if (leading && latest) channel.postMessage({ news: latest, to: data.hello } satisfies Told)
  }
  signal.addEventListener('abort', () => channel.close())
  channel.postMessage({ hello: own } satisfies Told)
  const lead = async () => {
    leading = true
    await run((heard) => {
      if (signal.aborted) return
      const news = newsOf(schema, heard)
      // A newcomer is told the newest message even while the stream is down: old news beats none.
      if (news.kind === 'message' || latest?.kind !== 'message') latest = news
      channel.postMessage({ news } satisfies Told)
      hear(heard)
    }, signal)
  }
  try {
    await by.locks.request(name, { signal }, lead)
  } catch (err) {
    if (!signal.aborted) throw err
  }
}

function newsOf<O extends DescMessage>(schema: O, heard: Heard<O>): News {
  if ('message' in heard) return { kind: 'message', bytes: toBinary(schema, heard.message), at: heard.at }
  const error = ConnectError.from(heard.error)
  const fault = error.findDetails(FaultSchema)[0]
  return { kind: 'error', code: error.code, text: error.rawMessage, fault: fault && toBinary(FaultSchema, fault) }
}

function heardOf<O extends DescMessage>(schema: O, news: News): Heard<O> {
  if (news.kind === 'message') return { message: fromBinary(schema, news.bytes), at: news.at }
  const details = news.fault ? [{ desc: FaultSchema, value: fromBinary(FaultSchema, news.fault) }] : undefined
  return { error: new ConnectError(news.text, news.code, undefined, details) }
}
