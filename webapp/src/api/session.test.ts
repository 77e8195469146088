import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MembershipSchema, MeResponseSchema, SessionResponseSchema } from './gen/trunkline/access/v1/access_pb'

const jwt = (seconds: number, n = 0) => `h.${btoa(JSON.stringify({ iat: 1_000_000, exp: 1_000_000 + seconds, n }))}.s`
const answer = (token: string) =>
  create(SessionResponseSchema, {
    accessToken: token,
    // Far off on purpose: the token's own lifetime counts, not this computer's clock.
    expiresAt: timestampFromMs(0),
    me: create(MeResponseSchema, { accountId: 'a', membership: create(MembershipSchema, { tenantId: 7n }) }),
  })

const refresh = vi.fn()
vi.mock('@connectrpc/connect', async (original) => ({
  ...(await original<object>()),
  createClient: () => ({ refresh, signOut: vi.fn() }),
}))

describe('session', () => {
  let session: typeof import('./session')
  beforeEach(async () => {
    vi.useFakeTimers()
    vi.resetModules()
    refresh.mockReset()
    session = await import('./session')
  })
  afterEach(() => vi.useRealTimers())

  it('renews one minute before the end', async () => {
    refresh.mockResolvedValue(answer(jwt(600, 2)))
    expect(session.acceptSession(answer(jwt(600, 1)))).toBe(true)
    await vi.advanceTimersByTimeAsync(539_000)
    expect(refresh).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(await session.accessToken()).toBe(jwt(600, 2))
  })

  it('asks once for many who wait', async () => {
    refresh.mockImplementation(async () => answer(jwt(600, 3)))
    await Promise.all([session.sessionReady(), session.sessionReady(), session.refreshSession()])
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('does not sign anybody out because the cloud is away', async () => {
    session.acceptSession(answer(jwt(600)))
    refresh.mockRejectedValue(new TypeError('Failed to fetch'))
    await session.refreshSession()
    expect(session.sessionStore.getState().status).toBe('signed_in')
  })

  it('says that the cloud is away when nobody was signed in yet', async () => {
    refresh.mockRejectedValue(new TypeError('Failed to fetch'))
    expect((await session.sessionReady()).status).toBe('unreachable')
    refresh.mockResolvedValue(answer(jwt(600)))
    expect((await session.sessionReady()).status).toBe('signed_in')
  })

  it('signs out when the cookie is refused, and accepts nothing without a token', async () => {
    const { Code, ConnectError } = await import('@connectrpc/connect')
    refresh.mockRejectedValue(new ConnectError('', Code.Unauthenticated))
    expect((await session.sessionReady()).status).toBe('signed_out')
    expect(session.acceptSession(create(SessionResponseSchema, { secondFactorChallenge: 'x' }))).toBe(false)
  })
})
