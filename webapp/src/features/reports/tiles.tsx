import { Trans, useLingui } from '@lingui/react/macro'
import type { ReactNode } from 'react'
import { callAddress } from '@/api'
import type { QueueReportResponse } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { Columns, Definition, formatDuration, queueFigures, StatTile } from '@/ui'
import { counted, type FigureName, length, percent } from './figures'

interface Props {
  report: QueueReportResponse
  period: { from: Date; to: Date }
  /** Those chosen; none means all. */
  queues: string[]
  sites: string[]
}

/** The period in figures; each opens its definition and the calls behind it. */
export function Tiles({ report, period, queues, sites }: Props) {
  const { i18n, t } = useLingui()
  const figures = report.total
  if (!figures) return null
  const { serviceLevelS: seconds, serviceLevelTargetPct: target, shortAbandonS: short } = report
  const means = queueFigures(seconds, short)
  const level = percent(figures.serviceLevelPm)
  const abandonment = percent(figures.abandonmentPm)
  const one = new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1 })
  const count = (n: bigint) => new Intl.NumberFormat(i18n.locale).format(n)
  const time = (ms: bigint) => {
    const shown = length(ms)
    return shown === undefined ? undefined : formatDuration(shown)
  }
  const defined = (name: string, figure: FigureName, meaning: ReactNode) => (
    <Definition name={name} calls={callAddress(period, { queues, sites, ...counted[figure] })}>
      {meaning}
    </Definition>
  )
  return (
    <Columns>
      <StatTile
        label={t`Service level`}
        value={level === undefined ? undefined : one.format(level)}
        unit="%"
        tone={level !== undefined && level < target ? 'breach' : undefined}
        note={
          <Trans>
            goal {target} % within {seconds} s
          </Trans>
        }
        action={defined(t`Service level`, 'serviceLevelPm', means.level)}
      />
      <StatTile label={t`Offered`} value={count(figures.offered)} action={defined(t`Offered`, 'offered', means.offered)} />
      <StatTile
        label={t`Answered`}
        value={count(figures.answered)}
        note={<Trans>{count(figures.answeredInLevel)} in time</Trans>}
        action={defined(t`Answered`, 'answered', means.answered)}
      />
      <StatTile
        label={t`Abandoned`}
        value={count(figures.abandoned)}
        note={abandonment === undefined ? undefined : <Trans>{one.format(abandonment)} % of the offered</Trans>}
        action={defined(t`Abandoned`, 'abandoned', means.abandoned)}
      />
      <StatTile
        label={t`Abandoned early`}
        value={count(figures.abandonedShort)}
        action={defined(t`Abandoned early`, 'abandonedShort', means.abandonedShort)}
      />
      {figures.failed > 0n && (
        <StatTile
          label={t`Failed`}
          value={count(figures.failed)}
          tone="breach"
          action={defined(t`Failed`, 'failed', means.failed)}
        />
      )}
      <StatTile label={t`Left otherwise`} value={count(figures.other)} action={defined(t`Left otherwise`, 'other', means.other)} />
      <StatTile
        label={t`Average wait`}
        value={time(figures.asaMs)}
        note={<Trans>longest {time(figures.maxWaitMs) ?? '–'}</Trans>}
        action={defined(
          t`Average wait`,
          'asaMs',
          <>
            {means.asa} {means.longest}
          </>,
        )}
      />
      <StatTile label={t`Average handling`} value={time(figures.ahtMs)} action={defined(t`Average handling`, 'ahtMs', means.aht)} />
    </Columns>
  )
}
