/** What the views of the desktop render. Plain values throughout: the leader tells it to the other tabs as it is. */
import type { FaultView } from '@/api/fault'
import { type AgentState, type CallView, emptySite, type SiteView } from './model'

/**
 * starting: not decided yet. absent: nobody is signed in at this site. exchanging: a grant is being exchanged. running: signed
 * in. ended: the site ended the session, `ended` says why.
 */
export type Phase = 'starting' | 'absent' | 'exchanging' | 'running' | 'ended'

export interface LinkView {
  url: string
  name: string
  alive: boolean
}

/** What a person asked for and the site has not confirmed yet. */
export interface Pending {
  accept?: boolean
  reject?: boolean
  hangup?: boolean
  hold?: boolean
  /** Name of the queue or agent the caller is being passed to. */
  transfer?: string
  /** Name of the colleague who is to be asked. */
  consult?: string
  endConsult?: boolean
}

export type LegState = 'negotiating' | 'connected' | 'interrupted'

export interface Quality {
  /** Per cent of the last seconds' packets. */
  loss: number
  /** Milliseconds. */
  jitter: number
  rtt: number
  grade: 'good' | 'fair' | 'poor'
}

export interface LegView {
  state: LegState
  quality?: Quality
}

export type MicrophoneProblem = 'denied' | 'missing' | 'busy' | 'insecure'

export interface AudioView {
  legs: Record<string, LegView>
  /** Label of the microphone in use. */
  microphone?: string
  problem?: MicrophoneProblem
  /** The microphone in use went away and this one took over. */
  switched?: { from: string; to: string; at: number }
  /** The browser refuses to play until the page is clicked. */
  blocked: boolean
}

export const silentAudio: AudioView = { legs: {}, blocked: false }

/** An offer that went away without being answered here. */
export interface LostOffer {
  call: CallView
  /** "missed", "rejected", "caller_hung_up", ...; empty when the site did not say. */
  reason: string
  at: number
}

export interface SessionState extends SiteView {
  phase: Phase
  role: 'leader' | 'remote'
  /** "replaced", "revoked", "suspended", "expired", "signed_out". */
  ended?: string
  /** Why the grant could not be exchanged. */
  fault?: FaultView
  connection: 'connecting' | 'live' | 'lost'
  /** Local time at which the last stream died. */
  lostAt?: number
  links: LinkView[]
  /** Milliseconds to add to this machine's clock for the site's time. */
  clockOffset: number
  pending: Record<string, Pending>
  statePending?: AgentState
  /** The call whose caller must not hear the agent. The microphone is the browser's own: no node can fail to mute it. */
  muted?: string
  lostOffer?: LostOffer
  audio: AudioView
}

export const firstState: SessionState = {
  ...emptySite,
  phase: 'starting',
  role: 'remote',
  connection: 'connecting',
  links: [],
  clockOffset: 0,
  pending: {},
  audio: silentAudio,
}

/** What the audio of one call shall be. */
export interface LegWish {
  callId: string
  nodeUrl: string
  /** The call is answered: the caller is heard. */
  open: boolean
  /** The caller hears the agent. */
  speak: boolean
}

/** One leg for each call that rings or lasts, opened with the click that answers and closed with the click that mutes. */
export function legWishes({ calls, pending, muted }: Pick<SessionState, 'calls' | 'pending' | 'muted'>): LegWish[] {
  return calls.flatMap((call) => {
    if (call.state !== 'offered' && call.state !== 'talking' && call.state !== 'held') return []
    const asked = pending[call.id] ?? {}
    const open = (call.state !== 'offered' || asked.accept === true) && !asked.hangup
    const held = asked.hold ?? (call.held || call.state === 'held')
    const speak = open && muted !== call.id && (!held || heardByColleague(call))
    return [{ callId: call.id, nodeUrl: call.nodeUrl, open, speak }]
  })
}

/** Who is held hears music; a colleague who has answered hears the agent all the same. */
const heardByColleague = ({ consult }: CallView): boolean =>
  consult !== undefined && !consult.asked && (consult.state === 'talking' || consult.state === 'waiting')

/** The muted call, for as long as this talk lasts: the caller who comes back later hears the agent. */
export function stillMuted(muted: string | undefined, calls: CallView[]): string | undefined {
  const state = calls.find(({ id }) => id === muted)?.state
  return state === 'wrap_up' || state === 'offered' ? undefined : muted
}

/** Drops what was asked for once the site's state has it. */
export function settled(pending: Record<string, Pending>, calls: CallView[]): Record<string, Pending> {
  const left: Record<string, Pending> = {}
  for (const call of calls) {
    const asked = { ...pending[call.id] }
    if (call.state !== 'offered') {
      delete asked.accept
      delete asked.reject
    }
    if (call.state === 'wrap_up' || call.state === 'ended') {
      delete asked.hangup
      delete asked.hold
      delete asked.transfer
    }
    if (Object.keys(asked).length > 0) left[call.id] = asked
  }
  return left
}
