import {
  type Icon,
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconInfoCircle,
  IconNotes,
  IconPhone,
} from '@tabler/icons-react'
import type { CSSProperties, ReactNode } from 'react'
import classes from './states.module.css'
import type { Tone } from './theme/tokens'

export type { Tone }

export const toneStyle = (tone: Tone) =>
  ({
    '--tone-text': `var(--tl-${tone}-text)`,
    '--tone-ground': `var(--tl-${tone}-ground)`,
    '--tone-solid': `var(--tl-${tone}-solid)`,
  }) as CSSProperties

const icons: Record<Tone, Icon> = {
  ready: IconCircleCheck,
  busy: IconPhone,
  after: IconNotes,
  warning: IconAlertTriangle,
  breach: IconCircleX,
  off: IconCircleDashed,
}

/** The icon a tone has when a state brings none of its own. */
export const toneIcon = (tone: Tone): Icon => icons[tone]

/**
 * A state as icon, word and colour, never colour alone. The same state has the same tone on desktop, wallboard and report:
 * take it from `agentStateLook`, `callOutcomeLook` and the like in states.ts rather than choosing one here.
 */
export function StatusBadge({ tone, icon, plain, children }: { tone: Tone; icon?: Icon; plain?: boolean; children: ReactNode }) {
  const Shown = icon ?? icons[tone]
  return (
    <span className={plain ? `${classes.badge} ${classes.plain}` : classes.badge} style={toneStyle(tone)}>
      <Shown size={14} stroke={2} aria-hidden />
      {children}
    </span>
  )
}

/** A message in the page's flow. `role` is set so that warnings are read out when they appear. */
export function Notice({
  tone = 'off',
  title,
  children,
  action,
}: {
  tone?: Tone
  title?: ReactNode
  children?: ReactNode
  action?: ReactNode
}) {
  const Shown = tone === 'off' ? IconInfoCircle : icons[tone]
  return (
    <div className={classes.notice} style={toneStyle(tone)} role={tone === 'breach' || tone === 'warning' ? 'alert' : 'status'}>
      <Shown size={16} aria-hidden />
      <div className={classes.noticeBody}>
        {title && <p className={classes.noticeTitle}>{title}</p>}
        {children && <div className={classes.noticeText}>{children}</div>}
      </div>
      {action}
    </div>
  )
}
