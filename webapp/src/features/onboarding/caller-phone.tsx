import { Trans, useLingui } from '@lingui/react/macro'
import { useEffect, useState } from 'react'
import { faultOf } from '@/api'
import { failed, Notice, Phone, type Tone } from '@/ui'
import type { CallerState } from './caller-call'

/** State, keypad and hang-up of the caller's side. */
export function CallerPhone({
  state,
  press,
  hangUp,
}: {
  state: CallerState
  press: (digit: string) => Promise<void> | undefined
  hangUp: () => void
}) {
  const [since, setSince] = useState(() => new Date())
  // biome-ignore lint/correctness/useExhaustiveDependencies: each state has its own clock
  useEffect(() => setSince(new Date()), [state.name])
  const { tone, title, text } = useWords(state)
  if (state.name === 'failed') {
    const fault = state.error === undefined ? undefined : faultOf(state.error)
    return (
      <Notice tone="breach" title={title}>
        {text} {state.cause === 'site' && fault && <Trans>({fault.message})</Trans>}{' '}
        {fault?.reference && <Trans>Reference {fault.reference}</Trans>}
      </Notice>
    )
  }
  const live = state.name !== 'ended'
  const keys = live && state.name !== 'microphone' && state.name !== 'dialing'
  return (
    <Phone
      tone={tone}
      title={title}
      text={text}
      since={live ? since : undefined}
      onKey={keys ? (digit) => void press(digit)?.catch(failed) : undefined}
      onHangUp={live ? hangUp : undefined}
    />
  )
}

function useWords(state: CallerState): { tone: Tone; title: string; text?: string } {
  const { t } = useLingui()
  switch (state.name) {
    case 'microphone':
      return {
        tone: 'off',
        title: t`Waiting for the microphone`,
        text: t`Your browser asks whether this page may use it. Allow it.`,
      }
    case 'dialing':
      return { tone: 'busy', title: t`Calling` }
    case 'menu':
      return { tone: 'busy', title: t`You hear the greeting and the menu`, text: t`Press a key below, as on a telephone.` }
    case 'queued':
      return {
        tone: 'busy',
        title: t`Waiting in “${state.queue}”`,
        text: state.position > 0 ? t`You are number ${state.position}. An agent has to be ready.` : t`An agent has to be ready.`,
      }
    case 'ringing':
      return { tone: 'busy', title: t`It rings at an agent`, text: t`Answer it in the desktop.` }
    case 'talking':
      return { tone: 'ready', title: t`You are talking` }
    case 'ended':
      return { tone: 'off', title: t`The call is over`, text: t`It is in the call history, with its recording in a few seconds.` }
    case 'failed':
      return failures(t, state)
  }
}

function failures(
  t: ReturnType<typeof useLingui>['t'],
  { cause }: Extract<CallerState, { name: 'failed' }>,
): { tone: Tone; title: string; text: string } {
  const tone = 'breach' as const
  if (cause === 'microphone') {
    return {
      tone,
      title: t`No microphone`,
      text: t`Connect one and allow this page to use it (the icon beside the address), then call again.`,
    }
  }
  if (cause === 'audio') {
    return {
      tone,
      title: t`No audio gets through`,
      text: t`A firewall between this computer and the site keeps UDP back. Let it through to the site's media ports, then call again.`,
    }
  }
  return { tone, title: t`The site did not take the call`, text: t`Check that a node is up and reachable from this computer.` }
}
