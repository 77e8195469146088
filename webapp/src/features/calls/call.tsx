import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { useParams } from '@tanstack/react-router'
import { at, may, useMe } from '@/api'
import { type Call, type CallEvent, CallService } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { paths } from '@/app/paths'
import {
  callOutcomeLook,
  ExactTime,
  Facts,
  formatDuration,
  formatExact,
  formatPhone,
  Loaded,
  Meta,
  Page,
  PhoneNumber,
  Section,
  SideBySide,
  StatusBadge,
} from '@/ui'
import classes from './calls.module.css'
import { Recordings } from './recordings'
import { enderWord, eventWords } from './words'

/** One call from its first ring to its last note. */
export function CallPage() {
  const { i18n, t } = useLingui()
  const { callId = '' } = useParams({ strict: false }) as { callId?: string }
  const call = useQuery(CallService.method.getCall, { id: callId })
  const caller = call.data && (call.data.caller ? formatPhone(call.data.caller) : t`Withheld number`)
  const look = callOutcomeLook(call.data?.outcome ?? '')
  const started = at(call.data?.startedAt)
  return (
    <Page
      title={caller ? t`Call from ${caller}` : t`Call`}
      why={started && formatExact(started, i18n.locale)}
      back={{ to: paths.calls, label: t`Calls`, keepSearch: true }}
      status={
        call.data && (
          <StatusBadge tone={look.tone} icon={look.icon}>
            {i18n._(look.word)}
          </StatusBadge>
        )
      }
    >
      <Loaded query={call} rows={8}>
        {(data) => (
          <>
            <SideBySide>
              <Section title={t`What happened`}>
                <Timeline events={data.events} start={at(data.startedAt)} />
              </Section>
              <Section title={t`In figures`}>
                <Figures call={data} />
              </Section>
            </SideBySide>
            <RecordingSection call={data} />
          </>
        )}
      </Loaded>
    </Page>
  )
}

function RecordingSection({ call }: { call: Call }) {
  const { t } = useLingui()
  const plays = may(useMe(), 'recordings_play')
  return (
    <Section title={t`Recording`} why={t`Caller and agent apart. Listening is written to the audit log.`}>
      {call.recordings.length === 0 ? (
        <Meta>
          <Trans>Nothing was recorded, or its site has not reported the recording yet.</Trans>
        </Meta>
      ) : plays ? (
        <Recordings call={call} />
      ) : (
        <Meta>
          <Trans>Your role does not include listening to recordings.</Trans>
        </Meta>
      )}
    </Section>
  )
}

function Timeline({ events, start }: { events: CallEvent[]; start?: Date }) {
  const { i18n } = useLingui()
  return (
    <ol className={classes.timeline} data-testid="timeline">
      {events.map((event, i) => {
        const { icon: Shown, text, detail } = eventWords(event.kind, event.params, i18n)
        const time = at(event.at)
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: events never change places
          <li key={i} className={classes.event} data-kind={event.kind}>
            <time className={classes.offset} dateTime={time?.toISOString()} title={time && formatExact(time, i18n.locale)}>
              {time && start ? formatDuration(time.getTime() - start.getTime()) : '–'}
            </time>
            <Shown size={16} aria-hidden className={classes.eventIcon} />
            <span>
              {text}
              {detail && <span className={classes.detail}>{detail}</span>}
            </span>
          </li>
        )
      })}
    </ol>
  )
}

function Figures({ call }: { call: Call }) {
  const { i18n, t } = useLingui()
  const settings = useQuery(RoutingService.method.getSettings, {}, { staleTime: 300_000 })
  const code = settings.data?.wrapUpCodes.find(({ id }) => id === call.wrapUpCode)?.name
  const length = (ms: bigint) => formatDuration(Number(ms))
  const ended = enderWord(call.endedBy, i18n)
  return (
    <Facts
      of={[
        [t`Caller`, <PhoneNumber key="caller" e164={call.caller} />],
        [t`Called`, <PhoneNumber key="called" e164={call.called} />],
        call.test && [t`Kind`, t`Test call from a browser`],
        [t({ message: 'Started', context: 'call' }), <ExactTime key="started" at={at(call.startedAt)} />],
        call.queueName !== '' && [t`Queue`, call.queueName],
        call.queueId !== '' && [t`Waited`, length(call.waitMs)],
        call.agentName !== '' && [t`Agent`, call.agentName],
        call.agentId !== '' && [t`Talked`, length(call.talkMs)],
        call.holdMs > 0n && [t`On hold`, length(call.holdMs)],
        call.wrapUpMs > 0n && [t`Wrap-up`, length(call.wrapUpMs)],
        ended !== undefined && [t`Ended`, ended],
        call.siteName !== '' && [t`Site`, call.siteName],
        // Until the list is here there is nothing to say; one that was taken off the list has no name any more.
        call.wrapUpCode !== '' && settings.data !== undefined && [t`Wrap-up code`, code ?? t`no longer in the list`],
        call.wrapUpNote !== '' && [
          t`Note`,
          <span key="note" className={classes.note}>
            {call.wrapUpNote}
          </span>,
        ],
      ]}
    />
  )
}
