import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import { createStore, useStore } from 'zustand'
import { appConfig } from './config'
import { AccessService, type MeResponse, type SessionResponse } from './gen/trunkline/access/v1/access_pb'

/**
 * The session of this browser with the cloud. The access token lives in memory only; a rotating HttpOnly cookie renews it.
 * A cookie can be spent once, so tabs take turns (Web Lock) and the one that renewed tells the others.
 */
export type Session =
  | { status: 'loading' }
  | { status: 'signed_out' }
  /** The cloud could not be asked; nobody was signed out. */
  | { status: 'unreachable'; cause: unknown }
  | { status: 'signed_in'; token: string; validUntil: number; me: MeResponse }

export const sessionStore = createStore<Session>(() => ({ status: 'loading' }))
export const useSession = () => useStore(sessionStore)

/** The signed-in person; only for pages behind the sign-in, throws elsewhere. */
export function useMe(): MeResponse {
  const session = useSession()
  if (session.status !== 'signed_in') throw new Error('useMe outside a signed-in page')
  return session.me
}

/** Renew this long before the end, so that no request leaves with a token that dies on the way. */
const MARGIN_MS = 60_000
const LOCK = 'trunkline-session'
/** Not a secret: when the newest token of this browser was received. Lets a tab that waited know a message is coming. */
const STAMP = 'trunkline-session-at'

type Told = { kind: 'session'; session: Extract<Session, { status: 'signed_in' }>; at: number } | { kind: 'signed_out' }
const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('trunkline-session')
let knownAt = 0
let timer: ReturnType<typeof setTimeout> | undefined
let flight: Promise<void> | undefined

const bare = () =>
  createClient(
    AccessService,
    createConnectTransport({
      baseUrl: appConfig().cloudUrl || window.location.origin,
      useBinaryFormat: true,
      fetch: (input, init) => fetch(input, { ...init, credentials: 'same-origin' }),
    }),
  )

channel?.addEventListener('message', ({ data }: MessageEvent<Told>) => {
  if (data.kind === 'signed_out') return become({ status: 'signed_out' })
  if (data.at <= knownAt) return
  knownAt = data.at
  become(data.session)
})

function become(session: Session) {
  clearTimeout(timer)
  sessionStore.setState(session, true)
  if (session.status !== 'signed_in') return
  timer = setTimeout(
    () => void refreshSession({ stale: session.token }),
    Math.max(session.validUntil - MARGIN_MS - Date.now(), 5_000),
  )
}

/** Takes a session the cloud just gave (sign-in, confirmation, acting as a tenant). Answers false when it has no token. */
export function acceptSession(response: SessionResponse): boolean {
  const { accessToken: token, me } = response
  if (!token || !me) return false
  const session = { status: 'signed_in', token, me, validUntil: validUntil(token, response) } as const
  knownAt = Math.max(Date.now(), knownAt + 1)
  remember(STAMP, String(knownAt))
  become(session)
  channel?.postMessage({ kind: 'session', session, at: knownAt } satisfies Told)
  return true
}

/** Lifetime from the token itself, so that a wrong clock on this computer does not matter. */
function validUntil(token: string, { expiresAt }: SessionResponse): number {
  try {
    const payload = token.split('.')[1] ?? ''
    const { iat, exp } = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/')))
    if (exp > iat) return Date.now() + (exp - iat) * 1000
  } catch {
    // Not a token we can read: believe the clock.
  }
  return expiresAt ? Number(expiresAt.seconds) * 1000 : Date.now() + MARGIN_MS * 2
}

/**
 * Renews the session with the cookie, or moves it to another tenant of the same account. `stale` is the token the caller
 * found too old: when another tab renewed meanwhile, nothing is asked. The result is in the store; only a refused move throws.
 */
export function refreshSession({ stale, tenantId }: { stale?: string; tenantId?: bigint } = {}): Promise<void> {
  if (flight && !tenantId) return flight
  const run = exclusively(async () => {
    if (stale !== undefined && !tenantId && (await renewedElsewhere(stale))) return
    try {
      const response = await bare().refresh({ tenantId: tenantId ?? 0n })
      if (!acceptSession(response)) become({ status: 'signed_out' })
    } catch (err) {
      failed(err, tenantId !== undefined)
    }
  }).finally(() => {
    if (flight === run) flight = undefined
  })
  flight = run
  return run
}

function failed(err: unknown, switching: boolean) {
  const { code } = ConnectError.from(err)
  const refused = code === Code.Unauthenticated || code === Code.PermissionDenied || code === Code.NotFound
  const now = sessionStore.getState()
  if (refused && !switching) return become({ status: 'signed_out' })
  if (switching) throw err
  if (now.status !== 'signed_in') return become({ status: 'unreachable', cause: err })
  // Signed in and the cloud is away: keep the page, try again soon.
  clearTimeout(timer)
  timer = setTimeout(() => void refreshSession({ stale: now.token }), 5_000 + Math.random() * 5_000)
}

/** True when another tab's newer token is here, or arrives within half a second of its stamp. */
async function renewedElsewhere(stale: string): Promise<boolean> {
  const newer = () => {
    const now = sessionStore.getState()
    return now.status === 'signed_in' && now.token !== stale
  }
  if (newer()) return true
  if (Number(recall(STAMP)) <= knownAt || !channel) return false
  return new Promise((resolve) => {
    const stop = sessionStore.subscribe(() => finish(newer()))
    const late = setTimeout(() => finish(newer()), 500)
    const finish = (found: boolean) => {
      clearTimeout(late)
      stop()
      resolve(found)
    }
  })
}

const exclusively = (run: () => Promise<void>): Promise<void> => (navigator.locks ? navigator.locks.request(LOCK, run) : run())

/** The token for a request, renewed first when it is about to end. Undefined when nobody is signed in. */
export async function accessToken(): Promise<string | undefined> {
  const before = sessionStore.getState()
  if (before.status === 'signed_in' && before.validUntil - Date.now() < 10_000) await refreshSession({ stale: before.token })
  const now = sessionStore.getState()
  return now.status === 'signed_in' ? now.token : undefined
}

/** After a change of the own profile. */
export function updateMe(me: MeResponse) {
  const now = sessionStore.getState()
  if (now.status === 'signed_in') become({ ...now, me })
}

/** Ends the session here and in every tab; `everywhere` also on other devices. The page leaves even if the cloud is away. */
export async function signOut(everywhere = false): Promise<void> {
  const now = sessionStore.getState()
  const headers = now.status === 'signed_in' ? { authorization: `Bearer ${now.token}` } : undefined
  try {
    await bare().signOut({ everywhere }, { headers })
  } catch {
    // The token in memory goes either way; the cookie ends by itself.
  }
  channel?.postMessage({ kind: 'signed_out' } satisfies Told)
  become({ status: 'signed_out' })
}

function remember(key: string, value: string) {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Private windows may refuse; tabs then renew one after the other.
  }
}

function recall(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

let first: Promise<void> | undefined

/** The session once it is known: asks the cloud with the cookie at the first call. Asked again after the cloud was away. */
export async function sessionReady(): Promise<Exclude<Session, { status: 'loading' }>> {
  const { status } = sessionStore.getState()
  if (status === 'loading' || status === 'unreachable') {
    first ??= refreshSession().finally(() => {
      first = undefined
    })
    await first
  }
  return sessionStore.getState() as Exclude<Session, { status: 'loading' }>
}
