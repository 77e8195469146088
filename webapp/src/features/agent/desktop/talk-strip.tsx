import { Trans, useLingui } from '@lingui/react/macro'
import { Button, Tooltip } from '@mantine/core'
import { IconMicrophone, IconMicrophoneOff, IconPhoneOff, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react'
import { Duration, PhoneNumber, StatusBadge } from '@/ui'
import type { CallView } from '../session/model'
import { CallMeta } from './call-meta'
import { asking, ConsultControls, ConsultLine } from './consult'
import classes from './desktop.module.css'
import { Key } from './key'
import { Keypad } from './keypad'
import { QualityDot } from './quality-dot'
import { ConsultPicker, TransferPicker } from './transfer-picker'
import { useAgent, useCommand } from './use-agent'

/** The call in progress and what can be done with it. Hold shows at once and goes back, with the reason, when refused. */
export function TalkStrip({ call }: { call: CallView }) {
  const { t } = useLingui()
  const command = useCommand()
  const offsetMs = useAgent((state) => state.clockOffset)
  const muted = useAgent((state) => state.muted === call.id)
  const consult = asking(call)
  const other = call.consult?.state === 'talking' ? call.consult.name : undefined
  const heardBy = other
    ? muted
      ? t`${other} does not hear you.`
      : t`${other} hears you.`
    : muted
      ? t`The caller does not hear you.`
      : t`The caller hears you.`
  return (
    <section
      className={classes.strip}
      aria-label={t`Current call`}
      data-testid="talk-strip"
      data-call={call.id}
      data-call-state={call.state}
    >
      <div className={classes.who}>
        <p className={classes.caller}>
          <span data-testid="talk-caller">{call.callerName || <PhoneNumber e164={call.caller} />}</span>
          {call.talkingSince !== undefined && (
            <span className={classes.callTime}>
              <Duration since={new Date(call.talkingSince)} offsetMs={offsetMs} />
            </span>
          )}
        </p>
        <CallMeta call={call}>
          <ConsultLine call={call} />
          {call.recording && (
            <span className={classes.recording} data-testid="recording">
              <Trans>Recording</Trans>
            </span>
          )}
        </CallMeta>
      </div>
      {muted && (
        <StatusBadge tone="warning" icon={IconMicrophoneOff}>
          <Trans>Muted</Trans>
        </StatusBadge>
      )}
      <QualityDot callId={call.id} />
      <div className={classes.controls}>
        <Tooltip label={heardBy} zIndex={500}>
          <Button
            variant={muted ? 'filled' : 'default'}
            aria-pressed={muted}
            data-testid="mute"
            leftSection={muted ? <IconMicrophoneOff size={16} aria-hidden /> : <IconMicrophone size={16} aria-hidden />}
            onClick={() => void command({ name: 'mute', callId: call.id, on: !muted })}
          >
            {muted ? <Trans>Speak</Trans> : <Trans>Mute</Trans>}
            <Key of="mute" />
          </Button>
        </Tooltip>
        {consult ? <ConsultControls call={call} consult={consult} /> : <CallControls call={call} />}
      </div>
    </section>
  )
}

/** A call without a colleague who is asked; who is asked can speak and leave. */
function CallControls({ call }: { call: CallView }) {
  const command = useCommand()
  const pending = useAgent((state) => state.pending[call.id])
  const held = pending?.hold ?? (call.held || call.state === 'held')
  const own = !call.consult?.asked
  return (
    <>
      {own && (
        <Button
          variant={held ? 'filled' : 'default'}
          aria-pressed={held}
          data-testid="hold"
          leftSection={held ? <IconPlayerPlay size={16} aria-hidden /> : <IconPlayerPause size={16} aria-hidden />}
          onClick={() => void command({ name: 'hold', callId: call.id, on: !held })}
        >
          {held ? <Trans>Take back</Trans> : <Trans>Hold</Trans>}
          <Key of="hold" />
        </Button>
      )}
      {own && <Keypad callId={call.id} />}
      {own && <ConsultPicker callId={call.id} />}
      {own && <TransferPicker callId={call.id} />}
      <Button
        color="red"
        data-testid="hangup"
        leftSection={<IconPhoneOff size={16} aria-hidden />}
        loading={pending?.hangup}
        onClick={() => void command({ name: 'hangup', callId: call.id })}
      >
        <Trans>Hang up</Trans>
        <Key of="hangup" />
      </Button>
    </>
  )
}
