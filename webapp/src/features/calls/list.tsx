import { useInfiniteQuery, useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button, VisuallyHidden } from '@mantine/core'
import { IconMicrophone, IconPhoneCall } from '@tabler/icons-react'
import { Link, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import { at, callFilter, may, useMe } from '@/api'
import { type Call, CallService } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import {
  type Column,
  callOutcomeLook,
  EmptyState,
  ExactTime,
  formatDuration,
  Loaded,
  Page,
  PhoneNumber,
  StatusBadge,
  Table,
  thisZone,
  useAddress,
} from '@/ui'
import { usePeriod } from '@/ui/period-filter'
import { CallFilters } from './filters'

const pageSize = 50

/** The company's zone; the reader's until it is known. */
export function useCompanyZone(): string {
  const settings = useQuery(RoutingService.method.getSettings, {}, { staleTime: 300_000 })
  return settings.data?.timeZone || thisZone()
}

/** Every call, newest first. */
export function CallsPage() {
  const { i18n, t } = useLingui()
  const zone = useCompanyZone()
  const period = usePeriod(zone)
  const [address] = useAddress()
  const navigate = useNavigate()
  const calls = useInfiniteQuery(
    CallService.method.listCalls,
    { filter: callFilter(address, period), pageToken: '', pageSize },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  )
  const rows = useMemo(() => calls.data?.pages.flatMap((page) => page.calls), [calls.data])
  const sites = useQuery(SiteService.method.listSites, { pageSize: 200 }, { staleTime: 60_000 })
  const several = (sites.data?.sites.length ?? 0) > 1
  const columns: Column<Call>[] = useMemo(
    () => [
      {
        id: 'started',
        header: t({ message: 'Started', context: 'call' }),
        cell: (call) => <ExactTime at={at(call.startedAt)} />,
        sort: (call) => at(call.startedAt),
      },
      { id: 'caller', header: t`Caller`, cell: (call) => <Caller call={call} />, sort: (call) => call.caller },
      {
        id: 'outcome',
        header: t`Outcome`,
        sort: (call) => call.outcome,
        cell: (call) => {
          const look = callOutcomeLook(call.outcome)
          return (
            <StatusBadge tone={look.tone} icon={look.icon}>
              {i18n._(look.word)}
            </StatusBadge>
          )
        },
      },
      { id: 'queue', header: t`Queue`, cell: (call) => call.queueName || '–', sort: (call) => call.queueName },
      { id: 'agent', header: t`Agent`, cell: (call) => call.agentName || '–', sort: (call) => call.agentName },
      {
        id: 'wait',
        header: t`Waited`,
        align: 'end',
        cell: (call) => length(call.queueId ? call.waitMs : undefined),
        sort: (call) => call.waitMs,
      },
      {
        id: 'talk',
        header: t`Talked`,
        align: 'end',
        cell: (call) => length(call.agentId ? call.talkMs : undefined),
        sort: (call) => call.talkMs,
      },
      ...(several
        ? [{ id: 'site', header: t`Site`, cell: (call: Call) => call.siteName, sort: (call: Call) => call.siteName }]
        : []),
      {
        id: 'recording',
        header: t`Recording`,
        width: 96,
        cell: (call) =>
          call.hasRecording && (
            <>
              <IconMicrophone size={16} aria-hidden />
              <VisuallyHidden>{t`Recorded`}</VisuallyHidden>
            </>
          ),
      },
    ],
    [i18n, t, several],
  )
  return (
    <Page
      title={t`Calls`}
      why={t`Every call of your sites, with what happened in it and its recording.`}
      filters={<CallFilters zone={zone} />}
    >
      <Loaded query={{ ...calls, data: rows }} rows={10}>
        {(data) => (
          <div data-testid="call-table">
            <Table
              label={t`Calls`}
              columns={columns}
              rows={data}
              rowKey={(call) => call.id}
              onOpen={(call) => void navigate({ to: paths.call, params: { callId: call.id } as never, search: true as never })}
              more={{ hasMore: calls.hasNextPage, loading: calls.isFetchingNextPage, load: () => void calls.fetchNextPage() }}
              empty={<NoCalls />}
            />
          </div>
        )}
      </Loaded>
    </Page>
  )
}

const length = (ms: bigint | undefined) => (ms === undefined ? '–' : formatDuration(Number(ms)))

function Caller({ call }: { call: Call }) {
  return (
    <>
      <PhoneNumber e164={call.caller} />
      {call.test && (
        <>
          {' '}
          <StatusBadge tone="off" plain>
            <Trans>Test call</Trans>
          </StatusBadge>
        </>
      )}
    </>
  )
}

function NoCalls() {
  const [address, setAddress] = useAddress()
  const sets = may(useMe(), 'sites_manage')
  const narrowed = Object.keys(address).some((name) => !['period', 'from', 'to'].includes(name))
  const clear = () =>
    setAddress({
      queue: undefined,
      agent: undefined,
      site: undefined,
      outcome: undefined,
      number: undefined,
      level: undefined,
      queued: undefined,
    })
  if (narrowed) {
    return (
      <EmptyState
        icon={IconPhoneCall}
        title={<Trans>No call matches</Trans>}
        action={
          <Button variant="default" onClick={clear}>
            <Trans>All calls of the period</Trans>
          </Button>
        }
      >
        <Trans>There may be calls outside of these filters.</Trans>
      </EmptyState>
    )
  }
  return (
    <EmptyState
      icon={IconPhoneCall}
      title={<Trans>No calls in this period</Trans>}
      action={
        sets ? (
          <Button component={Link} to={paths.setup} variant="default">
            <Trans>Make a test call</Trans>
          </Button>
        ) : (
          <Button variant="default" onClick={() => setAddress({ period: 'month', from: undefined, to: undefined })}>
            <Trans>Last 30 days</Trans>
          </Button>
        )
      }
    >
      <Trans>A call appears here when it has ended and its site has reported it.</Trans>
    </EmptyState>
  )
}
