import { Trans, useLingui } from '@lingui/react/macro'
import { callAddress } from '@/api'
import type { QueueReportResponse } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { Columns, Definition, formatDuration, queueFigures, StatTile } from '@/ui'
import { length, percent } from './figures'

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
  const calls = (more: { outcomes?: string[]; level?: boolean } = {}) => callAddress(period, { queues, sites, ...more })
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
        action={
          <Definition name={t`Service level`} calls={calls({ level: true })}>
            {means.level}
          </Definition>
        }
      />
      <StatTile
        label={t`Offered`}
        value={count(figures.offered)}
        action={
          <Definition name={t`Offered`} calls={calls()}>
            {means.offered}
          </Definition>
        }
      />
      <StatTile
        label={t`Answered`}
        value={count(figures.answered)}
        note={<Trans>{count(figures.answeredInLevel)} in time</Trans>}
        action={
          <Definition name={t`Answered`} calls={calls({ outcomes: ['answered'] })}>
            {means.answered}
          </Definition>
        }
      />
      <StatTile
        label={t`Abandoned`}
        value={count(figures.abandoned)}
        note={abandonment === undefined ? undefined : <Trans>{one.format(abandonment)} % of the offered</Trans>}
        action={
          <Definition name={t`Abandoned`} calls={calls({ outcomes: ['abandoned'] })}>
            {means.abandoned}
          </Definition>
        }
      />
      <StatTile
        label={t`Abandoned early`}
        value={count(figures.abandonedShort)}
        action={
          <Definition name={t`Abandoned early`} calls={calls({ outcomes: ['abandoned_short'] })}>
            {means.abandonedShort}
          </Definition>
        }
      />
      {figures.failed > 0n && (
        <StatTile
          label={t`Failed`}
          value={count(figures.failed)}
          tone="breach"
          action={
            <Definition name={t`Failed`} calls={calls({ outcomes: ['failed'] })}>
              {means.failed}
            </Definition>
          }
        />
      )}
      <StatTile
        label={t`Left otherwise`}
        value={count(figures.other)}
        action={
          <Definition name={t`Left otherwise`} calls={calls({ outcomes: ['max_wait'] })}>
            <Trans>
              Calls that left the queue without an agent and without hanging up: the longest allowed wait was over, or the call flow
              went on.
            </Trans>
          </Definition>
        }
      />
      <StatTile
        label={t`Average wait`}
        value={time(figures.asaMs)}
        note={<Trans>longest {time(figures.maxWaitMs) ?? '–'}</Trans>}
        action={
          <Definition name={t`Average wait`} calls={calls({ outcomes: ['answered'] })}>
            <Trans>
              How long the answered calls waited, on average (ASA). The longest wait is that of any call, answered or not.
            </Trans>
          </Definition>
        }
      />
      <StatTile
        label={t`Average handling`}
        value={time(figures.ahtMs)}
        action={
          <Definition name={t`Average handling`} calls={calls({ outcomes: ['answered'] })}>
            <Trans>Talking, hold and wrap-up of the answered calls, on average (AHT).</Trans>
          </Definition>
        }
      />
    </Columns>
  )
}
