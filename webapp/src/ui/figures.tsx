import { useLingui } from '@lingui/react/macro'
import { Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { type ReactNode, useEffect, useState } from 'react'
import classes from './figures.module.css'
import { type Tone, toneIcon, toneStyle } from './status'

export interface StatTileProps {
  label: ReactNode
  /** Undefined shows a dash: not known is never zero. */
  value: ReactNode | undefined
  unit?: string
  /** A line below: comparison, target, data age. */
  note?: ReactNode
  /** Only when the figure is in that state; brings its icon. */
  tone?: Tone
  /** Old data: grey, with the note saying how old. */
  stale?: boolean
  action?: ReactNode
}

/** One figure with its name. */
export function StatTile({ label, value, unit, note, tone, stale, action }: StatTileProps) {
  const Shown = tone && !stale ? toneIcon(tone) : undefined
  return (
    <div
      className={[
        classes.tile,
        stale ? classes.stale : tone && classes.toned,
        !stale && (tone === 'warning' || tone === 'breach') && classes.loud,
      ]
        .filter(Boolean)
        .join(' ')}
      style={tone && toneStyle(tone)}
    >
      <div className={classes.tileHead}>
        <span>{label}</span>
        {action}
      </div>
      <div className={classes.value}>
        {Shown && <Shown size={18} aria-hidden />}
        <span>{value ?? '–'}</span>
        {unit && value !== undefined && <span className={classes.unit}>{unit}</span>}
      </div>
      {note && <div className={classes.note}>{note}</div>}
    </div>
  )
}

/** m:ss, h:mm:ss from one hour; never negative. */
export function formatDuration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000))
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`
}

/** A length of time, or with `since` one that runs. `offsetMs` is server time minus local time. */
export function Duration({ ms, since, offsetMs = 0 }: { ms?: number | bigint; since?: Date; offsetMs?: number }) {
  const now = useNow(since ? 1000 : 0)
  const shown = since ? now + offsetMs - since.getTime() : Number(ms ?? 0)
  if (!since && ms === undefined) return <>–</>
  return <span className={classes.tabular}>{formatDuration(shown)}</span>
}

/** The time, again each `everyMs`; 0 = once. All clocks on a page tick together. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (everyMs <= 0) return
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]

export function formatRelative(at: Date, now: number, locale: string): string {
  // Clocks differ a little: what is a few seconds ahead is now.
  const ahead = at.getTime() - now
  const away = ahead > 0 && ahead < 5_000 ? 0 : ahead
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  const [unit, size] = steps.find(([, step]) => Math.abs(away) >= step) ?? ['second', 1_000]
  return format.format(Math.round(away / size), unit)
}

/** "3 min ago", the exact time in the reader's zone on hover and focus. Undefined shows a dash. */
export function RelativeTime({ at }: { at: Date | undefined }) {
  const { i18n } = useLingui()
  useNow(at ? 15_000 : 0)
  if (!at) return <>–</>
  return (
    <Tooltip label={formatExact(at, i18n.locale)}>
      <time dateTime={at.toISOString()} className={classes.tabular}>
        {formatRelative(at, Date.now(), i18n.locale)}
      </time>
    </Tooltip>
  )
}

export const formatExact = (at: Date, locale: string) =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(at)

/** A date and time as such. */
export function ExactTime({ at, style = 'both' }: { at: Date | undefined; style?: 'both' | 'date' | 'time' }) {
  const { i18n } = useLingui()
  if (!at) return <>–</>
  const options: Intl.DateTimeFormatOptions = {
    ...(style !== 'time' && { month: 'short', day: 'numeric' }),
    // The year of what is long ago; on this year's dates it is noise.
    ...(style !== 'time' && at.getFullYear() !== new Date().getFullYear() && { year: 'numeric' }),
    ...(style !== 'date' && { hour: 'numeric', minute: '2-digit' }),
    ...(style === 'time' && { second: '2-digit' }),
  }
  return (
    <time dateTime={at.toISOString()} className={classes.tabular}>
      {new Intl.DateTimeFormat(i18n.locale, options).format(at)}
    </time>
  )
}

/** Text to copy with one press: commands, keys. */
export function CopyField({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <div className={classes.copyLabel}>{label}</div>
      <div className={classes.copy}>
        <code className={classes.copyText}>{value}</code>
        <CopyButton className={classes.copyButton} label={label} value={value} />
      </div>
    </div>
  )
}

/** Copies a value that stands beside it, in a table or a sentence. */
export function CopyButton({ label, value, className = classes.copyQuiet }: { label: string; value: string; className?: string }) {
  const { t } = useLingui()
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 2000)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = async () => {
    await copyText(value)
    setCopied(true)
  }
  return (
    <button type="button" className={className} onClick={() => void copy()} aria-label={t`Copy: ${label}`}>
      {copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
      <span aria-live="polite">{copied ? t`Copied` : t`Copy`}</span>
    </button>
  )
}

/** The clipboard API is missing on plain HTTP in a closed network; the old way still works there. */
async function copyText(value: string) {
  if (navigator.clipboard) return navigator.clipboard.writeText(value)
  const area = document.createElement('textarea')
  area.value = value
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}

/** How full something is, 0 to 1, with words: never the bar alone. */
export function Meter({ share, tone = 'off', label }: { share: number; tone?: Tone; label: string }) {
  const percent = Math.round(Math.min(Math.max(share, 0), 1) * 100)
  return (
    <div className={classes.meter}>
      <span className={classes.note}>{label}</span>
      {/* biome-ignore lint/a11y/useSemanticElements: browsers draw <meter> in colours of their own */}
      <div
        className={classes.meterBar}
        role="meter"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-label={label}
      >
        <div className={classes.meterFill} style={{ ...toneStyle(tone), width: `${percent}%` }} />
      </div>
    </div>
  )
}
