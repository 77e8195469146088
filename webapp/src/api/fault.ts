import { Code, ConnectError } from '@connectrpc/connect'
import { i18n } from '@lingui/core'
import { actionWords, codeWords, faultWords } from './fault-words'
import { FaultSchema } from './gen/trunkline/fault/v1/fault_pb'

/** What to tell a person about something that failed, in their language. */
export interface FaultView {
  kind: 'invalid' | 'unauthenticated' | 'forbidden' | 'not_found' | 'conflict' | 'exhausted' | 'unavailable' | 'internal'
  key: string
  /** What happened. */
  message: string
  /** What to do now; may be empty. */
  action: string
  /** Stands in log and trace too; empty when nothing reached a server. */
  reference: string
  /** Seconds; 0 = do not retry by itself. */
  retryAfter: number
  /** The request's field at fault ("email", "numbers[2].e164"); empty when none is. */
  field: string
}

const kinds: Partial<Record<Code, FaultView['kind']>> = {
  [Code.InvalidArgument]: 'invalid',
  [Code.OutOfRange]: 'invalid',
  [Code.Unauthenticated]: 'unauthenticated',
  [Code.PermissionDenied]: 'forbidden',
  [Code.NotFound]: 'not_found',
  [Code.AlreadyExists]: 'conflict',
  [Code.Aborted]: 'conflict',
  [Code.FailedPrecondition]: 'conflict',
  [Code.ResourceExhausted]: 'exhausted',
  [Code.Unavailable]: 'unavailable',
  [Code.DeadlineExceeded]: 'unavailable',
  [Code.Canceled]: 'unavailable',
}

/** Reads any thrown value. Never throws, never shows a machine's own text to a person. */
export function faultOf(err: unknown): FaultView {
  const connect = err instanceof ConnectError ? err : undefined
  const detail = connect?.findDetails(FaultSchema)[0]
  const code = connect?.code ?? Code.Unknown
  const kind = kinds[code] ?? 'internal'
  if (!connect && !(err instanceof TypeError)) {
    return { kind: 'internal', key: 'fault.page', ...say('fault.page', kind, {}, ''), reference: '', retryAfter: 0, field: '' }
  }
  // A fetch that never reached a server has neither detail nor a usable code.
  const key = detail?.messageKey ?? (isNetwork(err) ? 'fault.network' : '')
  return {
    kind: isNetwork(err) && !detail ? 'unavailable' : kind,
    key,
    ...say(key, kind, detail?.params ?? {}, detail?.action ?? ''),
    reference: detail?.reference ?? '',
    retryAfter: detail?.retryAfter ?? 0,
    field: detail?.field ?? '',
  }
}

function say(key: string, kind: FaultView['kind'], params: Record<string, string>, action: string) {
  const words = faultWords[key] ?? codeWords[kind]
  // The words of a key know more than the general action the server may add.
  const next = faultWords[key]?.action ?? actionWords[action] ?? (faultWords[key] ? undefined : words.action)
  return { message: i18n._({ ...words.message, values: params }), action: next ? i18n._({ ...next, values: params }) : '' }
}

function isNetwork(err: unknown): boolean {
  if (err instanceof TypeError) return true
  if (!(err instanceof ConnectError)) return false
  return err.cause instanceof TypeError || (err.code === Code.Unknown && /fetch|network/i.test(err.rawMessage))
}
