import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon } from '@mantine/core'
import { IconUsers } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { type CallAddress, callAddress } from '@/api'
import { Definition, formatDuration, type Period, queueFigures, type Tone, toneIcon, toneStyle } from '@/ui'
import { type QueueTile, serviceLevel } from './floor'
import classes from './wallboard.module.css'

export interface Goal {
  /** Seconds within which a call should be answered. */
  seconds: number
  /** Per cent of calls. */
  percent: number
}

/** A wait is late beyond the goal, and soon late beyond half of it. */
export function waitTone(waitMs: number, { seconds }: Goal): Tone {
  if (waitMs > seconds * 1000) return 'breach'
  return waitMs > seconds * 500 ? 'warning' : 'ready'
}

/** Below the goal is a breach, within five points above it a warning. */
export function levelTone(level: number, { percent }: Goal): Tone {
  if (level < percent) return 'breach'
  return level < percent + 5 ? 'warning' : 'ready'
}

const worst: Tone[] = ['breach', 'warning', 'ready']

/** What the definitions need: the company's day, and within how many seconds one gives up early. */
export interface Day {
  period: Period
  shortSeconds: number
}

interface TileProps {
  tile: QueueTile
  goal: Goal
  /** Undefined until the company's settings are known. */
  day: Day | undefined
  /** Server time. */
  now: number
  onAgents: () => void
}

/** One queue: who waits and how long, and how the day went. Each figure opens its definition and the calls behind it. */
export function Tile({ tile, goal, day, now, onAgents }: TileProps) {
  const { t } = useLingui()
  const waitMs = tile.longestSince === undefined ? undefined : now - tile.longestSince
  const waiting = waitMs === undefined ? 'ready' : waitTone(waitMs, goal)
  const level = serviceLevel(tile)
  const levelIs = level === undefined ? undefined : levelTone(level, goal)
  const tone = tile.stale ? 'off' : (worst.find((is) => is === waiting || is === levelIs) ?? 'ready')
  const age = Math.max(0, Math.round((now - tile.at) / 1000))
  const means = queueFigures(goal.seconds, day?.shortSeconds ?? 0)
  /** The calls of this queue today, of the sites that are counted. */
  const calls = (more: { outcomes?: string[]; level?: boolean } = {}) =>
    day && callAddress(day.period, { queues: [tile.id], sites: tile.only, ...more })
  return (
    <section
      className={tile.stale ? `${classes.tile} ${classes.stale}` : classes.tile}
      style={toneStyle(tone)}
      aria-label={tile.name}
      data-testid="queue-tile"
      data-queue={tile.id}
      data-stale={tile.stale}
    >
      <div className={classes.name}>
        {tile.name}
        <ActionIcon onClick={onAgents} aria-label={t`Agents, ${tile.name}`} data-testid="queue-agents">
          <IconUsers size={16} aria-hidden />
        </ActionIcon>
      </div>
      <div className={classes.main}>
        <Figure label={t`waiting`} value={String(tile.waiting)} testId="waiting">
          <Trans>Callers who wait in this queue now. Their calls are in the list when they have ended.</Trans>
        </Figure>
        <Figure
          label={t`longest wait`}
          value={waitMs === undefined ? '–' : formatDuration(waitMs)}
          tone={waitMs === undefined || tile.stale ? undefined : waiting}
          testId="longest"
        >
          <Trans>
            How long the caller at the front has waited. It is late after {goal.seconds} seconds. The call is in the list when it
            has ended.
          </Trans>
        </Figure>
        <Figure
          label={t`in time, goal ${goal.percent} %`}
          value={level === undefined ? '–' : `${Math.floor(level)}%`}
          tone={tile.stale ? undefined : levelIs}
          testId="level"
          calls={calls({ level: true })}
        >
          <Today>{day && means.level}</Today>
        </Figure>
      </div>
      <div className={classes.foot}>
        <Count name={t`offered`} count={tile.offered} testId="offered" calls={calls()}>
          {means.offered}
        </Count>
        <Count name={t`answered`} count={tile.answered} testId="answered" calls={calls({ outcomes: ['answered'] })}>
          {means.answered}
        </Count>
        <Count name={t`abandoned`} count={tile.abandoned} testId="abandoned" calls={calls({ outcomes: ['abandoned'] })}>
          {day && means.abandoned}
        </Count>
        <Count
          name={t`gave up early`}
          count={tile.abandonedShort}
          testId="abandoned-short"
          calls={calls({ outcomes: ['abandoned_short'] })}
        >
          {day && means.abandonedShort}
        </Count>
        {tile.failed > 0 && (
          <Count name={t`failed`} count={tile.failed} testId="failed" calls={calls({ outcomes: ['failed'] })}>
            {means.failed}
          </Count>
        )}
        <span className={classes.age} data-testid="data-age">
          {tile.stale ? <Trans>old: measured {formatDuration(age * 1000)} ago</Trans> : <Trans>{age} s old</Trans>}
          {tile.without.length > 0 && (
            <>
              {' · '}
              <Trans>without {tile.without.join(', ')}</Trans>
            </>
          )}
        </span>
      </div>
    </section>
  )
}

/** A definition lies outside of what fills the screen. */
const leaveFullScreen = () => {
  if (document.fullscreenElement) void document.exitFullscreen()
}

/** Says what of a figure is the wallboard's: of which time, and what the list has of it. */
function Today({ children }: { children: ReactNode }) {
  return (
    <>
      {children} <Trans>Counted since midnight; a call is in the list when it has ended.</Trans>
    </>
  )
}

interface FigureProps {
  label: string
  value: string
  tone?: Tone
  testId: string
  calls?: CallAddress
  /** What it means. */
  children: ReactNode
}

function Figure({ label, value, tone, testId, calls, children }: FigureProps) {
  const Shown = tone && tone !== 'ready' ? toneIcon(tone) : undefined
  const button = (
    <button type="button" className={classes.figure}>
      <span
        className={Shown ? `${classes.value} ${classes.toned}` : classes.value}
        style={tone && toneStyle(tone)}
        data-testid={testId}
      >
        {Shown && <Shown aria-hidden />}
        {value}
      </span>{' '}
      <span className={classes.label}>{label}</span>
    </button>
  )
  return (
    <Definition name={label} calls={calls} trigger={button} onOpen={leaveFullScreen}>
      {children}
    </Definition>
  )
}

type CountProps = Omit<FigureProps, 'label' | 'value' | 'tone'> & { name: string; count: number }

function Count({ name, count, testId, calls, children }: CountProps) {
  const button = (
    <button type="button" className={classes.count} data-testid={testId}>
      {count} {name}
    </button>
  )
  return (
    <Definition name={name} calls={calls} trigger={button} onOpen={leaveFullScreen}>
      <Today>{children}</Today>
    </Definition>
  )
}
