/** The one session of this page, made from what the browser has. */
import { createClient } from '@connectrpc/connect'
import { createEdgeTransport } from '@/api'
import { AgentService } from '@/api/gen/trunkline/agent/v1/agent_pb'
import { CredentialStore, takeHandover } from './session/credentials'
import { AgentSession, agentLock } from './session/session'
import { workerTimer } from './session/timer'
import { Softphone, thisBrowser } from './softphone/softphone'

let session: AgentSession | undefined

/** Starts with the first call. It lives as long as the page: leaving and coming back must not cut a call. */
export function liveSession(): AgentSession {
  if (session) return session
  const timer = workerTimer()
  session = new AgentSession({
    own: window.location.origin,
    connect: (url, token) => createClient(AgentService, createEdgeTransport(url, token)),
    credentials: new CredentialStore(window.localStorage),
    timer,
    audio: (hooks) => new Softphone(thisBrowser(timer), hooks),
    locks: navigator.locks,
    channel: typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(agentLock),
    handover: takeHandover(window.location, window.history),
  })
  session.start()
  return session
}
