import type { MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import {
  type Icon,
  IconAlertTriangle,
  IconBell,
  IconCircleCheck,
  IconCircleX,
  IconCoffee,
  IconHourglass,
  IconNotes,
  IconPhone,
  IconPhoneCalling,
  IconPhoneOff,
  IconPhonePause,
  IconPlugConnectedX,
  IconRobot,
  IconUserOff,
  IconUserPause,
} from '@tabler/icons-react'
import { AgentState } from '@/api/gen/trunkline/agent/v1/agent_pb'
import type { Tone } from './status'

/** How a state looks everywhere: the same tone, icon and word on desktop, wallboard and report. */
export interface Look {
  tone: Tone
  icon: Icon
  word: MessageDescriptor
}

const agentLooks = {
  offline: { tone: 'off', icon: IconPlugConnectedX, word: msg`Offline` },
  not_ready: { tone: 'warning', icon: IconCoffee, word: msg`Break` },
  not_ready_yet: { tone: 'warning', icon: IconUserPause, word: msg`Not ready` },
  ready: { tone: 'ready', icon: IconCircleCheck, word: msg`Ready` },
  reserved: { tone: 'busy', icon: IconBell, word: msg`Reserved` },
  ringing: { tone: 'busy', icon: IconPhoneCalling, word: msg`Ringing` },
  talking: { tone: 'busy', icon: IconPhone, word: msg`Talking` },
  held: { tone: 'warning', icon: IconPhonePause, word: msg`On hold` },
  wrap_up: { tone: 'after', icon: IconNotes, word: msg`Wrap-up` },
} satisfies Record<string, Look>

const byNumber: Partial<Record<AgentState, keyof typeof agentLooks>> = {
  [AgentState.OFFLINE]: 'offline',
  [AgentState.NOT_READY]: 'not_ready',
  [AgentState.READY]: 'ready',
  [AgentState.RESERVED]: 'reserved',
  [AgentState.RINGING]: 'ringing',
  [AgentState.TALKING]: 'talking',
  [AgentState.HELD]: 'held',
  [AgentState.WRAP_UP]: 'wrap_up',
}

/**
 * By the enum of agent.v1, or its name as in FloorAgent.state ("talking", "AGENT_STATE_TALKING"). Unknown is offline. With the
 * reason, who is not ready without having chosen a break is not said to be on one.
 */
export function agentStateLook(state: AgentState | string, reason = ''): Look {
  const name = typeof state === 'number' ? byNumber[state] : state.replace(/^AGENT_STATE_/, '').toLowerCase()
  if (name === 'not_ready' && Object.hasOwn(reasons, reason)) return agentLooks.not_ready_yet
  return agentLooks[name as keyof typeof agentLooks] ?? agentLooks.offline
}

const reasons: Record<string, MessageDescriptor> = {
  no_answer: msg`did not answer`,
  rejected: msg`declined a call`,
  connection_lost: msg`connection was lost`,
  signed_in: msg`just signed in`,
  supervisor: msg`set by a supervisor`,
}

/** Why an agent is not ready: a break of the tenant's list by its name, or what the site did by itself. Undefined when nothing is known. */
export function reasonWord(
  reason: string,
  breaks: readonly { id: string; name: string }[],
  say: (word: MessageDescriptor) => string,
): string | undefined {
  const own = reasons[reason]
  return own ? say(own) : breaks.find(({ id }) => id === reason)?.name
}

const outcomeLooks: Record<string, Look> = {
  answered: { tone: 'ready', icon: IconPhone, word: msg`Answered` },
  abandoned: { tone: 'breach', icon: IconPhoneOff, word: msg`Abandoned` },
  abandoned_short: { tone: 'off', icon: IconPhoneOff, word: msg`Abandoned early` },
  self_service: { tone: 'busy', icon: IconRobot, word: msg`Self-service` },
  max_wait: { tone: 'warning', icon: IconUserOff, word: msg`Waited too long` },
  failed: { tone: 'breach', icon: IconPlugConnectedX, word: msg`Failed` },
}

/** By Call.outcome. */
export const callOutcomeLook = (outcome: string): Look =>
  outcomeLooks[outcome] ?? { tone: 'off', icon: IconPhone, word: msg`In progress` }

const siteLooks: Record<string, Look> = {
  healthy: { tone: 'ready', icon: IconCircleCheck, word: msg`Healthy` },
  degraded: { tone: 'warning', icon: IconAlertTriangle, word: msg`Degraded` },
  down: { tone: 'breach', icon: IconCircleX, word: msg`Down` },
  waiting_for_nodes: { tone: 'off', icon: IconHourglass, word: msg`Waiting for nodes` },
}

/** By Site.status. */
export const siteStatusLook = (status: string): Look =>
  siteLooks[status] ?? { tone: 'off', icon: IconHourglass, word: msg`Unknown` }

const nodeLooks: Record<string, Look> = {
  up: { tone: 'ready', icon: IconCircleCheck, word: msg`Up` },
  joining: { tone: 'warning', icon: IconHourglass, word: msg`Joining` },
  down: { tone: 'breach', icon: IconCircleX, word: msg`Down` },
}

/** By SiteNode.status. */
export const nodeStatusLook = (status: string): Look =>
  nodeLooks[status] ?? { tone: 'off', icon: IconHourglass, word: msg`Unknown` }
