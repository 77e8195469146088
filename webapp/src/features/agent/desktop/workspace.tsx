import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconCoffee, IconHeadset, IconMicrophone } from '@tabler/icons-react'
import { EmptyState, ExactTime, Facts, formatDuration, formatPhone, PhoneNumber, Section, Stack, StatusBadge } from '@/ui'
import type { CallView } from '../session/model'
import { CallerNumber } from './call-meta'
import { show, useDesk } from './desk'
import { useAgent } from './use-agent'
import { endReasonWord, reasonHelp } from './words'
import { WrapUp } from './wrap-up'

/** The centre: the selected call, or what happens next. */
export function Workspace() {
  const selected = useDesk((desk) => desk.selected)
  const call = useAgent((state) => state.calls.find(({ id }) => id === selected))
  const past = useDesk((desk) => desk.past.find((item) => item.call.id === selected)?.call)
  const shown = call ?? past
  return shown ? <CallWork key={shown.id} call={shown} over={!call} /> : <Idle />
}

function CallWork({ call, over }: { call: CallView; over: boolean }) {
  const { i18n, t } = useLingui()
  const ended = endReasonWord(call.endReason)
  const date = (ms: number | undefined) => ms !== undefined && <ExactTime at={new Date(ms)} style="time" />
  return (
    <Stack gap="loose">
      <Section
        title={call.callerName || (call.caller ? formatPhone(call.caller) : t`Withheld number`)}
        why={ended && i18n._(ended)}
        action={
          over && (
            <StatusBadge tone="off">
              <Trans context="call">Over</Trans>
            </StatusBadge>
          )
        }
      >
        <Facts
          of={[
            // The bar has state, time and queue; without a name the title is the number.
            call.callerName !== '' && [t`Caller`, <CallerNumber key="caller" call={call} />],
            call.called !== '' && [t`Called`, <PhoneNumber key="called" e164={call.called} />],
            call.queueName !== '' && [t`Queue`, call.queueName],
            call.menuPath.length > 0 && [t`Chosen in the menu`, call.menuPath.join(' › ')],
            call.enqueuedAt !== undefined &&
              call.talkingSince !== undefined && [t`Waited`, formatDuration(call.talkingSince - call.enqueuedAt)],
            call.talkingSince !== undefined && [t`Answered`, date(call.talkingSince)],
            call.endedAt !== undefined && [t`Ended`, date(call.endedAt)],
          ]}
        />
      </Section>
      {!over && call.state !== 'offered' && !call.consult?.asked && (
        <Section
          title={t`Wrap-up`}
          why={
            call.state === 'wrap_up'
              ? t`Note what is needed later, then finish to take the next call.`
              : t`You may begin during the call.`
          }
        >
          <WrapUp call={call} />
        </Section>
      )}
    </Stack>
  )
}

function Idle() {
  const { i18n } = useLingui()
  const agent = useAgent((state) => state.agent)
  if (!agent) return null
  const help = agent.state === 'not_ready' ? reasonHelp[agent.reason] : undefined
  if (agent.state === 'ready') {
    return (
      <EmptyState icon={IconHeadset} title={<Trans>Waiting for the next call</Trans>}>
        <Trans>Calls ring here and above. This page may stay in the background.</Trans>
      </EmptyState>
    )
  }
  return (
    <EmptyState
      icon={agent.reason === 'signed_in' ? IconMicrophone : IconCoffee}
      title={<Trans>No calls are offered to you</Trans>}
      action={
        <Button variant="default" leftSection={<IconMicrophone size={16} aria-hidden />} onClick={() => show('check')}>
          <Trans>Check microphone and connection</Trans>
        </Button>
      }
    >
      {help ? i18n._(help) : <Trans>Go ready in the bar above when you want to take calls.</Trans>}
    </EmptyState>
  )
}
