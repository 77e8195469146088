import type { I18n } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import {
  type Icon,
  IconArrowForwardUp,
  IconArrowsExchange,
  IconBell,
  IconBellOff,
  IconDialpad,
  IconHourglass,
  IconMessageQuestion,
  IconNotes,
  IconPhone,
  IconPhoneIncoming,
  IconPhoneOff,
  IconPhonePause,
  IconStack2,
} from '@tabler/icons-react'
import { formatDuration, formatPhone } from '@/ui'

/** One event of a call's timeline, in words. */
export interface EventWords {
  icon: Icon
  text: string
  /** A second line: why, how long. */
  detail?: string
}

type Params = Record<string, string>

const outcomes = {
  rejected: msg`They declined it.`,
  no_answer: msg`They did not answer in time.`,
  caller_hung_up: msg`The caller hung up meanwhile.`,
  agent_lost: msg`Their desktop could not be reached.`,
  call_lost: msg`The call was lost meanwhile.`,
  busy: msg`It was busy.`,
  unreachable: msg`It could not be reached.`,
  cancelled: msg`Ended by the agent who asked.`,
  left: msg`They hung up.`,
}

const enders = {
  caller: msg`The caller hung up`,
  agent: msg`The agent hung up`,
  outside: msg`The number outside hung up`,
  flow: msg`The call flow ended the call`,
  rejected: msg`The call was not taken`,
  lost: msg`The connection was lost`,
  suspended: msg`Ended: the company was suspended`,
  max_wait: msg`Ended after the longest allowed wait`,
}

const leaving = {
  max_wait: msg`The longest allowed wait was over.`,
  flow: msg`The call flow went on.`,
}

const known = <T extends object>(words: T, key: string | undefined): T[keyof T] | undefined =>
  key !== undefined && Object.hasOwn(words, key) ? words[key as keyof T] : undefined

export function eventWords(kind: string, params: Params, i18n: I18n): EventWords {
  const say = (word: { id: string } | undefined) => (word ? i18n._(word as never) : undefined)
  const agent = params.agent || i18n._(msg`an agent`)
  const queue = params.queue || i18n._(msg`a queue`)
  const number = params.number ? formatPhone(params.number) : ''
  switch (kind) {
    case 'started': {
      const caller = params.caller ? formatPhone(params.caller) : i18n._(msg`A withheld number`)
      const called = formatPhone(params.called ?? '')
      return {
        icon: IconPhoneIncoming,
        text: i18n._(msg`${caller} called ${called}`),
        detail: params.node && i18n._(msg`Taken by node ${params.node}.`),
      }
    }
    case 'answered':
      return { icon: IconPhone, text: i18n._(msg`The call was answered by the call flow`) }
    case 'menu': {
      const { digit = '', label } = params
      return {
        icon: IconDialpad,
        text: label ? i18n._(msg`Chose ${digit} in the menu: ${label}`) : i18n._(msg`Pressed ${digit} in the menu`),
      }
    }
    case 'queued':
      return { icon: IconHourglass, text: i18n._(msg`Began to wait in ${queue}`) }
    case 'offered':
      return { icon: IconBell, text: i18n._(msg`Rang at ${agent}`) }
    case 'offer_ended':
      return { icon: IconBellOff, text: i18n._(msg`No longer rang at ${agent}`), detail: say(known(outcomes, params.outcome)) }
    case 'left_queue':
      return { icon: IconStack2, text: i18n._(msg`Left ${queue}`), detail: say(known(leaving, params.outcome)) }
    case 'talking': {
      const held = Number(params.held_ms ?? 0)
      const length = formatDuration(held)
      return {
        icon: IconPhone,
        text: i18n._(msg`${agent} answered`),
        detail: held > 0 ? i18n._(msg`On hold for ${length} of it.`) : undefined,
      }
    }
    case 'held':
      return { icon: IconPhonePause, text: i18n._(msg`${agent} put the caller on hold`) }
    case 'transferred':
      return { icon: IconArrowForwardUp, text: i18n._(msg`${agent} passed the caller on to ${number || params.to || queue}`) }
    case 'consulted': {
      const to = params.to || i18n._(msg`an agent`)
      return { icon: IconMessageQuestion, text: i18n._(msg`${agent} asked ${to}; the caller waited`) }
    }
    case 'consult_answered': {
      const to = params.to || i18n._(msg`an agent`)
      return { icon: IconPhone, text: i18n._(msg`${to} answered and was asked`) }
    }
    case 'consult_ended': {
      const to = params.to || i18n._(msg`an agent`)
      return {
        icon: IconPhoneOff,
        text: i18n._(msg`${to} is no longer asked`),
        detail: say(known(outcomes, params.outcome)),
      }
    }
    case 'outside_answered':
      return { icon: IconPhone, text: i18n._(msg`${number} answered`) }
    case 'transfer_ended': {
      const to = number || params.to || i18n._(msg`an agent`)
      return {
        icon: IconBellOff,
        text: i18n._(msg`No longer rang at ${to}`),
        detail: say(known(outcomes, params.outcome)),
      }
    }
    case 'moved': {
      const { from = '', to = '' } = params
      const seconds = new Intl.NumberFormat(i18n.locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(
        Number(params.gap_ms ?? 0) / 1000,
      )
      return {
        icon: IconArrowsExchange,
        text: i18n._(msg`Moved from node ${from} to ${to}`),
        detail: params.gap_ms ? i18n._(msg`The sound paused for ${seconds} s.`) : undefined,
      }
    }
    case 'ended':
      return { icon: IconPhoneOff, text: say(known(enders, params.by)) ?? i18n._(msg`The call ended`) }
    case 'wrap_up':
      return { icon: IconNotes, text: i18n._(msg`${agent} finished the wrap-up`) }
    default:
      return { icon: IconPhone, text: kind }
  }
}

/** Who or what ended a call. */
export const enderWord = (by: string, i18n: I18n): string | undefined => {
  const word = known(enders, by)
  return word && i18n._(word)
}
