import { useLingui } from '@lingui/react/macro'
import { useNavigate } from '@tanstack/react-router'
import { at, callAddress } from '@/api'
import type { QueueReportRow } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { paths } from '@/app/paths'
import { type Column, formatDuration, Table } from '@/ui'
import { length, percent } from './figures'

interface Props {
  rows: QueueReportRow[]
  label: string
  /** With intervals: the time of each row, in this zone. */
  zone?: string
  period: { from: Date; to: Date }
  sites: string[]
}

/** The same figures as the chart, in rows. A row opens the calls it counted. */
export function FigureTable({ rows, label, zone, period, sites }: Props) {
  const { i18n, t } = useLingui()
  const navigate = useNavigate()
  const time = new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'short', timeStyle: 'short', timeZone: zone })
  const count = (
    name: 'offered' | 'answered' | 'answeredInLevel' | 'abandoned' | 'abandonedShort' | 'other' | 'failed',
    header: string,
  ): Column<QueueReportRow> => ({
    id: name,
    header,
    align: 'end',
    cell: (row) => String(row.figures?.[name] ?? 0n),
    sort: (row) => row.figures?.[name],
  })
  const duration = (name: 'asaMs' | 'ahtMs' | 'maxWaitMs', header: string): Column<QueueReportRow> => {
    const of = (row: QueueReportRow) => length(row.figures?.[name] ?? -1n)
    const cell = (row: QueueReportRow) => {
      const ms = of(row)
      return ms === undefined ? '–' : formatDuration(ms)
    }
    return { id: name, header, align: 'end', cell, sort: of }
  }
  const rate = (name: 'serviceLevelPm' | 'abandonmentPm', header: string): Column<QueueReportRow> => {
    const of = (row: QueueReportRow) => percent(row.figures?.[name] ?? -1)
    const cell = (row: QueueReportRow) => {
      const shown = of(row)
      return shown === undefined
        ? '–'
        : `${new Intl.NumberFormat(i18n.locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(shown)} %`
    }
    return { id: name, header, align: 'end', cell, sort: of }
  }
  const columns: Column<QueueReportRow>[] = [
    ...(zone
      ? [
          {
            id: 'from',
            header: t`From`,
            cell: (row: QueueReportRow) => time.format(at(row.from)),
            sort: (row: QueueReportRow) => at(row.from),
          },
        ]
      : []),
    { id: 'queue', header: t`Queue`, cell: (row) => row.queueName || '–', sort: (row) => row.queueName },
    rate('serviceLevelPm', t`Service level`),
    count('offered', t`Offered`),
    count('answered', t`Answered`),
    count('answeredInLevel', t`In time`),
    count('abandoned', t`Abandoned`),
    count('abandonedShort', t`Early`),
    count('other', t`Otherwise`),
    count('failed', t`Failed`),
    rate('abandonmentPm', t`Abandonment`),
    duration('asaMs', t`Average wait`),
    duration('maxWaitMs', t`Longest`),
    duration('ahtMs', t`Handling`),
  ]
  const open = (row: QueueReportRow) => {
    const [from, to] = [at(row.from), at(row.to)]
    const search = callAddress(from && to ? { from, to } : period, { queues: [row.queueId], sites })
    void navigate({ to: paths.calls, search: search as never })
  }
  return (
    <Table
      label={label}
      columns={columns}
      rows={rows}
      rowKey={(row) => `${row.queueId} ${at(row.from)?.getTime() ?? ''}`}
      onOpen={open}
      empty={null}
      maxHeight={zone ? 520 : undefined}
    />
  )
}
