import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { useComputedColorScheme } from '@mantine/core'
import { useMemo } from 'react'
import { callAddress, may, useMe } from '@/api'
import { ReportService } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { Definition, queueFigures, thisZone, tokensOf, useNow } from '@/ui'
import { type Slot, slots } from '@/ui/intervals'
import { periodOf } from '@/ui/period'
import { type Line, Plot } from './plot'
import type { Goal } from './tile'
import classes from './wallboard.module.css'

const everyMs = 60_000
/** Quarters of an hour shown at least: an hour alone is no day. */
const fewest = 16

/** The day so far by quarters of an hour: how many calls, and whether the goal was kept. What the reports say, for all queues. */
export function Today({ goal }: { goal: Goal }) {
  const { i18n, t } = useLingui()
  const reads = may(useMe(), 'reports_read')
  const scheme = useComputedColorScheme('light')
  const settings = useQuery(RoutingService.method.getSettings, {}, { staleTime: 300_000 })
  const zone = settings.data?.timeZone || thisZone()
  const now = useNow(everyMs)
  const { from, to } = periodOf({}, zone, now)
  const report = useQuery(
    ReportService.method.queueReport,
    { from: timestampFromDate(from), to: timestampFromDate(to), interval: '15m' },
    { enabled: reads && settings.data !== undefined, refetchInterval: everyMs, placeholderData: (before) => before },
  )
  const rows = report.data?.rows
  const [fromMs, toMs] = [from.getTime(), to.getTime()]
  const shown = useMemo(
    () => sinceTheFirst(slots(rows ?? [], { from: new Date(fromMs), to: new Date(toMs) }, '15m', zone, now)),
    [rows, fromMs, toMs, zone, now],
  )
  if (!reads || !report.data) return null
  const means = queueFigures(report.data.serviceLevelS, report.data.shortAbandonS)
  const { series, tones, text3 } = tokensOf(scheme)
  const calls: Line[] = [
    // Drawn behind the answered ones, so that the two add up to what was decided.
    { name: t`Abandoned`, color: tones.breach.solid, values: shown.map(stacked), bars: true },
    { name: t`Answered`, color: series[0] ?? '', values: shown.map(({ answered }) => answered), bars: true },
  ]
  const level: Line[] = [
    { name: t`Goal ${goal.percent} %`, color: text3, values: shown.map(() => goal.percent), dashed: true },
    { name: t`In time`, color: series[0] ?? '', values: shown.map((slot) => slot.level) },
  ]
  const sum = (of: (slot: Slot) => number | undefined) => shown.reduce((total, slot) => total + (of(slot) ?? 0), 0)
  const answered = sum((slot) => slot.answered)
  const abandoned = sum((slot) => slot.abandoned)
  const words = new Intl.NumberFormat(i18n.locale)
  return (
    <section className={classes.today} aria-label={t`Today`} data-testid="today">
      <Figure
        title={<Trans>Calls today</Trans>}
        lines={calls}
        definition={
          <Definition name={t`Calls today`} calls={callAddress({ from, to }, { outcomes: ['answered', 'abandoned'] })}>
            {means.answered} {means.abandoned}
          </Definition>
        }
      >
        <Plot
          label={t`Calls by quarter of an hour: ${words.format(answered)} answered, ${words.format(abandoned)} abandoned so far.`}
          times={shown.map((slot) => slot.from)}
          lines={calls}
          zone={zone}
        />
      </Figure>
      <Figure
        title={<Trans>Answered in time today, %</Trans>}
        lines={level}
        definition={
          <Definition name={t`Answered in time`} calls={callAddress({ from, to }, { level: true })}>
            {means.level}
          </Definition>
        }
      >
        <Plot
          label={t`Per cent answered in time by quarter of an hour, against the goal of ${goal.percent} %.`}
          times={shown.map((slot) => slot.from)}
          lines={level}
          zone={zone}
          max={100}
        />
      </Figure>
    </section>
  )
}

interface FigureProps {
  title: React.ReactNode
  lines: Line[]
  definition: React.ReactNode
  children: React.ReactNode
}

function Figure({ title, lines, definition, children }: FigureProps) {
  return (
    <div className={classes.chart}>
      <div className={classes.chartHead}>
        <h2 className={classes.heading}>{title}</h2>
        {lines.map(({ name, color, dashed }) => (
          <span key={name} className={classes.legend}>
            <svg width="1em" height="0.5em" viewBox="0 0 16 8" aria-hidden>
              <line
                x1="0"
                y1="4"
                x2="16"
                y2="4"
                stroke={color}
                strokeWidth={dashed ? 2 : 6}
                strokeDasharray={dashed ? '5 3' : undefined}
              />
            </svg>
            {name}
          </span>
        ))}
        {definition}
      </div>
      {children}
    </div>
  )
}

const stacked = ({ answered, abandoned }: Slot) =>
  answered === undefined && abandoned === undefined ? undefined : (answered ?? 0) + (abandoned ?? 0)

/** From a quarter before the first call on; before it the floor was closed. */
export function sinceTheFirst(all: Slot[]): Slot[] {
  const first = all.findIndex(({ offered }) => offered !== undefined)
  const begin = first < 0 ? all.length : Math.max(0, first - 1)
  return all.slice(Math.max(0, Math.min(begin, all.length - fewest)))
}
