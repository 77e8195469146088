import { Trans } from '@lingui/react/macro'
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react'
import { useEffect, useRef } from 'react'
import { ExactTime } from './figures'
import classes from './live-log.module.css'

export interface LogLine {
  key: string
  at?: Date
  who: string
  what: string
  text: string
  failed: boolean
}

/** Lines as they come, newest last and in sight; read out politely. */
export function LiveLog({ label, lines, empty }: { label: string; lines: LogLine[]; empty: string }) {
  const end = useRef<HTMLDivElement>(null)
  const count = lines.length
  // biome-ignore lint/correctness/useExhaustiveDependencies: follows each new line
  useEffect(() => {
    const frame = end.current?.parentElement
    if (frame) frame.scrollTop = frame.scrollHeight
  }, [count])
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div className={classes.log} role="log" aria-label={label} aria-live="polite" tabIndex={0}>
      {count === 0 && <div className={classes.empty}>{empty}</div>}
      {lines.map((line) => (
        <div key={line.key} className={line.failed ? `${classes.line} ${classes.failed}` : classes.line}>
          <span className={classes.time}>
            <ExactTime at={line.at} style="time" />
          </span>
          {line.failed ? <IconCircleX size={14} aria-hidden /> : <IconCircleCheck size={14} aria-hidden />}
          <span className={classes.who}>{line.who}</span>
          <span className={classes.what}>
            {line.what}
            {line.failed && (
              <>
                {' '}
                <Trans>(failed)</Trans>
              </>
            )}
          </span>
          <span className={classes.text}>{line.text}</span>
        </div>
      ))}
      <div ref={end} />
    </div>
  )
}
