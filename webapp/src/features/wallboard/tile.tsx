import { Trans, useLingui } from '@lingui/react/macro'
import { formatDuration, type Tone, toneIcon, toneStyle } from '@/ui'
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

/** One queue: who waits and how long, and how the day went. Pressed, its agents. */
export function Tile({ tile, goal, now, onOpen }: { tile: QueueTile; goal: Goal; now: number; onOpen: () => void }) {
  const { t } = useLingui()
  const waitMs = tile.longestSince === undefined ? undefined : now - tile.longestSince
  const waiting = waitMs === undefined ? 'ready' : waitTone(waitMs, goal)
  const level = serviceLevel(tile)
  const levelIs = level === undefined ? undefined : levelTone(level, goal)
  const tone = tile.stale ? 'off' : (worst.find((is) => is === waiting || is === levelIs) ?? 'ready')
  const age = Math.max(0, Math.round((now - tile.at) / 1000))
  return (
    <button
      type="button"
      className={tile.stale ? `${classes.tile} ${classes.stale}` : classes.tile}
      style={toneStyle(tone)}
      onClick={onOpen}
      data-testid="queue-tile"
      data-queue={tile.id}
      data-stale={tile.stale}
    >
      <span className={classes.name}>{tile.name}</span>
      <span className={classes.main}>
        <Figure label={t`waiting`} value={String(tile.waiting)} testId="waiting" />
        <Figure
          label={t`longest wait`}
          value={waitMs === undefined ? '–' : formatDuration(waitMs)}
          tone={waitMs === undefined || tile.stale ? undefined : waiting}
          testId="longest"
        />
        <Figure
          label={t`in time, goal ${goal.percent} %`}
          value={level === undefined ? '–' : `${Math.floor(level)}%`}
          tone={tile.stale ? undefined : levelIs}
          testId="level"
        />
      </span>
      <span className={classes.foot}>
        <span>
          <Trans>
            {tile.offered} offered: {tile.answered} answered · {tile.abandoned} abandoned · {tile.abandonedShort} gave up early
          </Trans>
        </span>
        <span data-testid="data-age">
          {tile.stale ? <Trans>old: measured {formatDuration(age * 1000)} ago</Trans> : <Trans>{age} s old</Trans>}
          {tile.without.length > 0 && (
            <>
              {' · '}
              <Trans>without {tile.without.join(', ')}</Trans>
            </>
          )}
        </span>
      </span>
    </button>
  )
}

function Figure({ label, value, tone, testId }: { label: string; value: string; tone?: Tone; testId: string }) {
  const Shown = tone && tone !== 'ready' ? toneIcon(tone) : undefined
  return (
    <span className={classes.figure}>
      <span
        className={Shown ? `${classes.value} ${classes.toned}` : classes.value}
        style={tone && toneStyle(tone)}
        data-testid={testId}
      >
        {Shown && <Shown aria-hidden />}
        {value}
      </span>
      <span className={classes.label}>{label}</span>
    </span>
  )
}
