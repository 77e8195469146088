import type { I18n } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconArrowBackUp, IconArrowsLeftRight, IconUsers } from '@tabler/icons-react'
import type { CallView, ConsultView } from '../session/model'
import { Key } from './key'
import { useKeys } from './keys'
import { useAgent, useCommand } from './use-agent'

/** The colleague this agent asks about the call now. */
export const asking = ({ consult }: CallView): ConsultView | undefined =>
  consult && !consult.asked && consult.state !== 'ended' ? consult : undefined

/** Who talks with whom, and who hears music meanwhile. */
export function ConsultLine({ call }: { call: CallView }) {
  const { i18n } = useLingui()
  const { consult } = call
  if (!consult) return null
  return (
    <span role="status" data-testid="consult-line" data-consult-state={consult.state}>
      {lineOf(consult, call.held, i18n)}
    </span>
  )
}

function endedWord(name: string, outcome: string, i18n: I18n): string {
  switch (outcome) {
    case 'rejected':
      return i18n._(msg`${name} declined. The caller still hears music.`)
    case 'no_answer':
      return i18n._(msg`${name} did not answer. The caller still hears music.`)
    case 'left':
      return i18n._(msg`${name} hung up. The caller still hears music.`)
    default:
      return i18n._(msg`${name} cannot be reached any more. The caller still hears music.`)
  }
}

function lineOf({ name, state, asked, outcome }: ConsultView, held: boolean, i18n: I18n): string {
  if (state === 'ended') return endedWord(name, outcome, i18n)
  if (asked) {
    if (state === 'ringing') return i18n._(msg`${name} asks you about this caller`)
    if (state === 'talking') return i18n._(msg`${name} asks you. The caller hears music.`)
    return i18n._(msg`${name} talks with the caller. You hear music.`)
  }
  if (state === 'talking') return i18n._(msg`You talk with ${name}. The caller hears music.`)
  if (state === 'waiting') return i18n._(msg`You talk with the caller. ${name} hears music.`)
  return held
    ? i18n._(msg`Ringing at ${name}. The caller hears music.`)
    : i18n._(msg`Ringing at ${name}. You talk with the caller.`)
}

/** To and fro between the two, and the two ways to end it. */
export function ConsultControls({ call, consult }: { call: CallView; consult: ConsultView }) {
  const command = useCommand()
  const pending = useAgent((state) => state.pending[call.id])
  const held = pending?.hold ?? call.held
  const { agentId, name } = consult
  const complete = () => void command({ name: 'transfer', callId: call.id, to: { agentId, name } })
  useKeys({ transfer: complete })
  return (
    <>
      <Button
        variant="default"
        data-testid="swap"
        leftSection={<IconArrowsLeftRight size={16} aria-hidden />}
        onClick={() => void command({ name: 'hold', callId: call.id, on: !held })}
      >
        {held ? <Trans>To the caller</Trans> : <Trans>To {name}</Trans>}
        <Key of="hold" />
      </Button>
      <Button
        data-testid="complete"
        leftSection={<IconUsers size={16} aria-hidden />}
        loading={pending?.transfer !== undefined}
        onClick={complete}
      >
        <Trans>Connect them</Trans>
        <Key of="transfer" />
      </Button>
      <Button
        variant="default"
        data-testid="end-consult"
        leftSection={<IconArrowBackUp size={16} aria-hidden />}
        loading={pending?.endConsult}
        onClick={() => void command({ name: 'end_consult', callId: call.id })}
      >
        <Trans>Only the caller</Trans>
        <Key of="hangup" />
      </Button>
    </>
  )
}
