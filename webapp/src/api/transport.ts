import type { DescService } from '@bufbuild/protobuf'
import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import { appConfig } from './config'
import { FaultSchema } from './gen/trunkline/fault/v1/fault_pb'
import { accessToken, refreshSession } from './session'

/** Asks for a fresh access token first, and once more when the cloud calls the one we had too old. */
const authenticate: Interceptor = (next) => async (request) => {
  const token = await accessToken()
  if (token) request.header.set('authorization', `Bearer ${token}`)
  try {
    return await next(request)
  } catch (err) {
    if (request.stream || !token || !tokenRefused(err)) throw err
    await refreshSession({ stale: token })
    const renewed = await accessToken()
    if (!renewed || renewed === token) throw err
    request.header.set('authorization', `Bearer ${renewed}`)
    return await next(request)
  }
}

/** A wrong password or code is unauthenticated too, and must not be sent twice. */
function tokenRefused(err: unknown): boolean {
  const refused = ConnectError.from(err)
  const key = refused.findDetails(FaultSchema)[0]?.messageKey ?? 'fault.session.'
  return refused.code === Code.Unauthenticated && key.startsWith('fault.session.')
}

let cloud: Transport | undefined

/** The tenant's cloud, with the session of this browser. The one transport of connect-query hooks. */
export function cloudTransport(): Transport {
  cloud ??= createConnectTransport({
    baseUrl: appConfig().cloudUrl || window.location.origin,
    useBinaryFormat: true,
    interceptors: [authenticate],
    fetch: (input, init) => fetch(input, { ...init, credentials: 'same-origin' }),
  })
  return cloud
}

/** A typed client of the cloud, for calls outside components. */
export const cloudClient = <S extends DescService>(service: S): Client<S> => createClient(service, cloudTransport())

/**
 * One node of a site. `token` gives the session token of AgentService.Exchange, read for each request, or nothing for the
 * public calls (Exchange itself, CallerService). No cookies go to a node.
 */
export function createEdgeTransport(url: string, token: string | (() => string | undefined) = ''): Transport {
  const bearer: Interceptor = (next) => (request) => {
    const value = typeof token === 'function' ? token() : token
    if (value) request.header.set('authorization', `Bearer ${value}`)
    return next(request)
  }
  return createConnectTransport({
    baseUrl: url.replace(/\/+$/, ''),
    useBinaryFormat: true,
    interceptors: [bearer],
    fetch: (input, init) => fetch(input, { ...init, credentials: 'omit' }),
  })
}
