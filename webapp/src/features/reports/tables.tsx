import { useLingui } from '@lingui/react/macro'
import { useNavigate } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { at, callAddress } from '@/api'
import type { QueueReportRow } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { paths } from '@/app/paths'
import { type Column, DefinedFigure, formatDuration, queueFigures, Table } from '@/ui'
import { counted, type FigureName, length, percent } from './figures'

interface Props {
  rows: QueueReportRow[]
  label: string
  /** With intervals: the time of each row, in this zone. */
  zone?: string
  period: { from: Date; to: Date }
  sites: string[]
  /** Seconds: the goal, and what is an early abandonment. */
  goal: number
  short: number
}

/** The same figures as the chart, in rows. A figure opens its definition and its calls, a row all of its own. */
export function FigureTable({ rows, label, zone, period, sites, goal, short }: Props) {
  const { i18n, t } = useLingui()
  const navigate = useNavigate()
  const means = queueFigures(goal, short)
  const time = new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'short', timeStyle: 'short', timeZone: zone })
  const whole = new Intl.NumberFormat(i18n.locale)
  const tenth = new Intl.NumberFormat(i18n.locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
  const callsOf = (row: QueueReportRow, figure: FigureName) => {
    const [from, to] = [at(row.from), at(row.to)]
    return callAddress(from && to ? { from, to } : period, { queues: [row.queueId], sites, ...counted[figure] })
  }
  function column<N extends FigureName>(
    figure: N,
    header: string,
    meaning: ReactNode,
    write: (value: NonNullable<QueueReportRow['figures']>[N]) => string | undefined,
  ): Column<QueueReportRow> {
    const cell = (row: QueueReportRow) => {
      const value = row.figures && write(row.figures[figure])
      if (value === undefined) return '–'
      return (
        <DefinedFigure name={header} value={value} calls={callsOf(row, figure)}>
          {meaning}
        </DefinedFigure>
      )
    }
    const sort = (row: QueueReportRow) => (row.figures && write(row.figures[figure]) ? row.figures[figure] : undefined)
    return { id: figure, header, align: 'end', cell, sort }
  }
  const count = (n: bigint) => whole.format(n)
  const rate = (perMille: number) => {
    const shown = percent(perMille)
    return shown === undefined ? undefined : `${tenth.format(shown)} %`
  }
  const duration = (ms: bigint) => {
    const shown = length(ms)
    return shown === undefined ? undefined : formatDuration(shown)
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
    column('serviceLevelPm', t`Service level`, means.level, rate),
    column('offered', t`Offered`, means.offered, count),
    column('answered', t`Answered`, means.answered, count),
    column('answeredInLevel', t`In time`, means.inTime, count),
    column('abandoned', t`Abandoned`, means.abandoned, count),
    column('abandonedShort', t`Early`, means.abandonedShort, count),
    column('other', t`Otherwise`, means.other, count),
    // Seldom, and the table is wide.
    ...(rows.some((row) => row.figures && row.figures.failed > 0n) ? [column('failed', t`Failed`, means.failed, count)] : []),
    column('abandonmentPm', t`Abandonment`, means.abandonment, rate),
    column('asaMs', t`Average wait`, means.asa, duration),
    column('maxWaitMs', t`Longest`, means.longest, duration),
    column('ahtMs', t`Handling`, means.aht, duration),
  ]
  return (
    <Table
      label={label}
      columns={columns}
      rows={rows}
      rowKey={(row) => `${row.queueId} ${at(row.from)?.getTime() ?? ''}`}
      onOpen={(row) => void navigate({ to: paths.calls, search: callsOf(row, 'offered') as never })}
      empty={null}
      maxHeight={zone ? 520 : undefined}
    />
  )
}
