import type { MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'

/** What the agent should know when the site itself made them not ready. */
export const reasonHelp: Record<string, MessageDescriptor> = {
  no_answer: msg`You did not answer an offered call, so no more calls are offered until you go ready.`,
  connection_lost: msg`The site did not hear from this browser for ten seconds, so calls went to others. Go ready when your connection is stable.`,
  rejected: msg`You declined a call, so no more calls are offered until you go ready.`,
  supervisor: msg`A supervisor took you off the queue.`,
}

const lost: Record<string, MessageDescriptor> = {
  missed: msg`It rang until the time to answer was over. The caller keeps the place in the queue.`,
  no_answer: msg`It rang until the time to answer was over. The caller keeps the place in the queue.`,
  caller_hung_up: msg`The caller hung up before you answered.`,
  abandoned: msg`The caller hung up before you answered.`,
  agent_lost: msg`The site lost sight of this browser while it rang.`,
}

/** Why an offer went away. Rejecting is the agent's own doing and needs no word. */
export function lostOfferWord(reason: string): MessageDescriptor | undefined {
  if (reason === 'rejected' || reason === 'agent_rejected') return undefined
  return lost[reason] ?? msg`The caller hung up before you answered, or the call went to another agent.`
}

export interface EndedWords {
  title: MessageDescriptor
  text: MessageDescriptor
}

const ended: Record<string, EndedWords> = {
  replaced: {
    title: msg`Your desktop is open somewhere else`,
    text: msg`You signed in at another browser or computer. One desktop at a time takes calls.`,
  },
  revoked: { title: msg`You were signed out`, text: msg`An administrator or supervisor ended your session at this site.` },
  suspended: {
    title: msg`Your company is suspended`,
    text: msg`Nobody can sign in until the platform lifts the suspension. Ask an owner of your company.`,
  },
  expired: { title: msg`Your session is over`, text: msg`A session at the site lasts twelve hours. Sign in again to go on.` },
  signed_out: { title: msg`You are signed out`, text: msg`No more calls are offered to you.` },
}

export const endedWords = (reason: string): EndedWords =>
  ended[reason] ?? { title: msg`You were signed out`, text: msg`The site ended your session.` }

const endReasons: Record<string, MessageDescriptor> = {
  caller: msg`The caller hung up`,
  agent: msg`You hung up`,
  transferred: msg`You passed the caller on`,
  lost: msg`The connection to the caller was lost`,
  suspended: msg`The company was suspended`,
}

export const endReasonWord = (reason: string): MessageDescriptor | undefined => endReasons[reason]
