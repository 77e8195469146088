import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { useMutation, useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button, MultiSelect, SegmentedControl } from '@mantine/core'
import { IconChartBar, IconDownload } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { listOf } from '@/api'
import { type QueueReportResponse, ReportService } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import { EmptyState, failed, Loaded, Page, type Period, Row, Section, thisZone, useAddress } from '@/ui'
import { type Interval, intervalsFor, slots, usualInterval } from '@/ui/intervals'
import { PeriodFilter, usePeriod } from '@/ui/period-filter'
import { saveFile } from '@/ui/save-file'
import { Chart } from './chart'
import { FigureTable } from './tables'
import { Tiles } from './tiles'

/** How the queues did in a period. */
export function ReportsPage() {
  const { t } = useLingui()
  const settings = useQuery(RoutingService.method.getSettings, {}, { staleTime: 300_000 })
  const zone = settings.data?.timeZone || thisZone()
  const period = usePeriod(zone)
  const [address] = useAddress()
  const fitting = intervalsFor(period)
  const interval = fitting.find((name) => name === address.interval) ?? usualInterval(period)
  const request = {
    from: timestampFromDate(period.from),
    to: timestampFromDate(period.to),
    interval,
    queueIds: listOf(address.queue),
    siteIds: listOf(address.site),
  }
  // The zone decides where days begin: asking before it is known would ask for the wrong days.
  const report = useQuery(ReportService.method.queueReport, request, {
    enabled: !settings.isPending,
    placeholderData: (before) => before,
  })
  const csv = useMutation(ReportService.method.queueReportCsv)
  const download = async () => {
    try {
      const file = await csv.mutateAsync(request)
      saveFile(file.fileName, file.csv, 'text/csv')
    } catch (error) {
      failed(error)
    }
  }
  return (
    <Page
      title={t`Queue report`}
      why={t`Every figure is counted from the calls themselves; each opens its definition and the calls behind it.`}
      action={
        <Button
          variant="default"
          leftSection={<IconDownload size={16} aria-hidden />}
          loading={csv.isPending}
          onClick={() => void download()}
          data-testid="csv"
        >
          <Trans>Download CSV</Trans>
        </Button>
      }
      filters={<Filters zone={zone} interval={interval} fitting={fitting} />}
    >
      <Loaded query={report} rows={10}>
        {(data) => <Report report={data} period={period} interval={interval} />}
      </Loaded>
    </Page>
  )
}

function Filters({ zone, interval, fitting }: { zone: string; interval: Interval; fitting: Interval[] }) {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const queues = useQuery(RoutingService.method.listQueues, {})
  const sites = useQuery(SiteService.method.listSites, { pageSize: 200 })
  const words = { '15m': t`15 min`, '1h': t`Hour`, '1d': t`Day` }
  const choose = (label: string, name: 'queue' | 'site', options: { id: string; name: string }[]) => (
    <MultiSelect
      aria-label={label}
      placeholder={listOf(address[name]).length === 0 ? label : undefined}
      w={200}
      clearable
      data={options.map((option) => ({ value: option.id, label: option.name }))}
      value={listOf(address[name]).filter((id) => options.some((option) => option.id === id))}
      onChange={(values) => setAddress({ [name]: values.join(',') || undefined })}
    />
  )
  return (
    <>
      <PeriodFilter zone={zone} />
      <SegmentedControl
        aria-label={t`Interval`}
        value={interval}
        onChange={(value) => setAddress({ interval: value })}
        data={fitting.map((value) => ({ value, label: words[value] }))}
      />
      {choose(t`All queues`, 'queue', queues.data?.queues ?? [])}
      {(sites.data?.sites.length ?? 0) > 1 && choose(t`All sites`, 'site', sites.data?.sites ?? [])}
    </>
  )
}

function Report({ report, period, interval }: { report: QueueReportResponse; period: Period; interval: Interval }) {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const sites = listOf(address.site)
  const queues = listOf(address.queue)
  const zone = report.timeZone || thisZone()
  const table = address.view === 'table'
  const rows = { period, sites, goal: report.serviceLevelS, short: report.shortAbandonS }
  if (report.queues.length === 0) return <NothingCounted />
  return (
    <>
      <Tiles report={report} period={period} queues={queues} sites={sites} />
      <Section
        title={t`Over time`}
        why={t`Times in ${zone}. Intervals without calls stay empty.`}
        action={
          <Row>
            <SegmentedControl
              aria-label={t`View`}
              value={table ? 'table' : 'chart'}
              onChange={(value) => setAddress({ view: value === 'table' ? 'table' : undefined })}
              data={[
                { value: 'chart', label: t`Chart` },
                { value: 'table', label: t`Table` },
              ]}
            />
          </Row>
        }
      >
        {table ? (
          <FigureTable label={t`Figures by interval`} rows={report.rows} zone={zone} {...rows} />
        ) : (
          <Chart
            slots={slots(report.rows, period, interval, zone)}
            interval={interval}
            target={report.serviceLevelTargetPct}
            zone={zone}
          />
        )}
      </Section>
      <Section title={t`By queue`} why={t`A row opens its calls, a figure its definition and those it counted.`}>
        <FigureTable label={t`Figures by queue`} rows={report.queues} {...rows} />
      </Section>
    </>
  )
}

function NothingCounted() {
  return (
    <EmptyState
      icon={IconChartBar}
      title={<Trans>No call waited in a queue in this period</Trans>}
      action={
        <Button component={Link} to={paths.calls} search={true as never} variant="default">
          <Trans>Look at all calls</Trans>
        </Button>
      }
    >
      <Trans>Calls count when they have ended and their site has reported them. Choose another period to see earlier ones.</Trans>
    </EmptyState>
  )
}
