import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon } from '@mantine/core'
import { IconLayoutSidebarRightCollapse, IconLayoutSidebarRightExpand } from '@tabler/icons-react'
import { useState } from 'react'
import { Duration, formatDuration } from '@/ui'
import { statsNow } from '../session/model'
import classes from './desktop.module.css'
import { useAgent, useSiteNow } from './use-agent'

const shutKey = 'trunkline.context'

/** The agent's day and the queues they serve. Can be folded away. */
export function ContextPanel() {
  const { t } = useLingui()
  const [shut, setShut] = useState(() => recall() === 'shut')
  const toggle = () => {
    keep(shut ? 'open' : 'shut')
    setShut(!shut)
  }
  const Shown = shut ? IconLayoutSidebarRightExpand : IconLayoutSidebarRightCollapse
  const button = (
    <ActionIcon aria-label={shut ? t`Show day and queues` : t`Hide day and queues`} aria-expanded={!shut} onClick={toggle}>
      <Shown size={16} aria-hidden />
    </ActionIcon>
  )
  if (shut) return <aside className={`${classes.context} ${classes.contextShut}`}>{button}</aside>
  return (
    <aside className={classes.context} aria-label={t`Day and queues`}>
      <h2 className={classes.heading}>
        <Trans>Today</Trans>
        {button}
      </h2>
      <Today />
      <h2 className={classes.heading}>
        <Trans>Your queues</Trans>
      </h2>
      <Queues />
    </aside>
  )
}

function Today() {
  const counted = useAgent((state) => state.stats)
  const agent = useAgent((state) => state.agent)
  const now = useSiteNow()
  const stats = counted && agent && statsNow(counted, agent, now)
  const figures: [React.ReactNode, React.ReactNode, string][] = [
    [<Trans key="1">Handled</Trans>, stats?.handled, 'handled'],
    [<Trans key="2">Missed</Trans>, stats?.missed, 'missed'],
    [<Trans key="3">Talking</Trans>, stats && formatDuration(stats.talk), 'talk'],
    [<Trans key="4">On hold</Trans>, stats && formatDuration(stats.hold), 'hold'],
    [<Trans key="5">Wrap-up</Trans>, stats && formatDuration(stats.wrapUp), 'wrap-up'],
    [<Trans key="6">Ready</Trans>, stats && formatDuration(stats.ready), 'ready'],
    [<Trans key="7">Break</Trans>, stats && formatDuration(stats.notReady), 'not-ready'],
    [
      <Trans key="8">Average handling</Trans>,
      stats && stats.handled > 0 ? formatDuration((stats.talk + stats.hold + stats.wrapUp) / stats.handled) : undefined,
      'aht',
    ],
  ]
  return (
    <div className={classes.figures} data-testid="today">
      {figures.map(([name, value, id]) => (
        <dl key={id} className={classes.figure}>
          <dt>{name}</dt>
          <dd data-testid={`today-${id}`}>{value ?? '–'}</dd>
        </dl>
      ))}
    </div>
  )
}

function Queues() {
  const queues = useAgent((state) => state.queues)
  const offsetMs = useAgent((state) => state.clockOffset)
  if (queues.length === 0) {
    return (
      <p className={classes.quiet}>
        <Trans>You serve no queue yet. An administrator assigns you under Members.</Trans>
      </p>
    )
  }
  return (
    <div data-testid="queues">
      {queues.map((queue) => (
        <div key={queue.id} className={classes.queue}>
          <span className={classes.clip} title={queue.name}>
            {queue.name}
          </span>
          <span data-testid="queue-waiting">
            <Trans>{queue.waiting} waiting</Trans>
          </span>
          <span className={classes.timer}>
            {queue.waiting > 0 && queue.longestSince !== undefined ? (
              <Duration since={new Date(queue.longestSince)} offsetMs={offsetMs} />
            ) : (
              '–'
            )}
          </span>
        </div>
      ))}
    </div>
  )
}

function recall(): string | null {
  try {
    return localStorage.getItem(shutKey)
  } catch {
    return null
  }
}

function keep(value: string): void {
  try {
    localStorage.setItem(shutKey, value)
  } catch {
    // Until the next reload, then.
  }
}
