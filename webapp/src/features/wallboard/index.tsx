import { useQuery } from '@connectrpc/connect-query'
import { Plural, Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconLayoutDashboard, IconMaximize } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { may, useMe, useStream } from '@/api'
import { LiveService } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { millis } from '@/api/time'
import { paths } from '@/app/paths'
import {
  agentStateLook,
  EmptyState,
  ErrorState,
  formatDuration,
  Notice,
  Page,
  periodOf,
  Skeleton,
  StatusBadge,
  thisZone,
  toneIcon,
  toneStyle,
  useNow,
} from '@/ui'
import { AgentPanel } from './agent-panel'
import { Agents } from './agents'
import { type AgentLine, byState, floorView, type SiteLine, shownStates, staleAfter } from './floor'
import { type Day, type Goal, Tile } from './tile'
import { Today } from './today'
import classes from './wallboard.module.css'

/** The cloud beats each five seconds; after three missed beats the stream is opened again. */
const silenceMs = 15_000

/** The floor as it is now, on a desk or on a wall. */
export function WallboardPage() {
  const { t } = useLingui()
  const stream = useStream(
    LiveService.method.watchFloor,
    { epoch: 0n, afterSeq: 0n },
    { silenceMs, isNews: (floor) => !floor.heartbeat },
  )
  const { latest, receivedAt, error } = stream
  const offset = useServerOffset(millis(latest?.serverTime), receivedAt)
  const now = useNow(500)
  const [agentsOpen, setAgentsOpen] = useState(false)
  const openAgents = async () => {
    // A panel lies outside of what fills the screen.
    if (document.fullscreenElement) await document.exitFullscreen()
    setAgentsOpen(true)
  }
  const board = useRef<HTMLDivElement>(null)
  const heard = receivedAt !== undefined && now - receivedAt < staleAfter
  const view = floorView(latest, now + offset, heard)
  const fresh = view.sites.filter(({ stale }) => !stale).length
  const goal: Goal = { seconds: latest?.serviceLevelS ?? 0, percent: latest?.serviceLevelTargetPct ?? 0 }
  const settings = useQuery(RoutingService.method.getSettings, {}, { staleTime: 300_000 })
  const day: Day | undefined = settings.data && {
    period: periodOf({}, settings.data.timeZone || thisZone(), now + offset),
    shortSeconds: settings.data.shortAbandonS,
  }
  const sitesTone = fresh === view.sites.length ? 'ready' : fresh === 0 ? 'breach' : 'warning'
  const SitesIcon = toneIcon(sitesTone)
  const sites = (
    <Trans>
      {fresh} of {view.sites.length} sites
    </Trans>
  )
  return (
    <Page
      title={t`Wallboard`}
      why={t`Who waits, who is there, and whether the goal is kept: all sites, now.`}
      status={
        latest && (
          <StatusBadge tone={sitesTone}>
            <span data-testid="sites-connected">{sites}</span>
          </StatusBadge>
        )
      }
      action={
        <Button
          variant="default"
          leftSection={<IconMaximize size={16} aria-hidden />}
          onClick={() => void onTheWall(board.current)}
          data-testid="full-screen"
        >
          <Trans>Full screen</Trans>
        </Button>
      }
    >
      {!latest && (error ? <ErrorState error={error} /> : <Skeleton rows={8} />)}
      {latest && (
        <div ref={board} className={classes.board} data-testid="wallboard">
          <div className={classes.wallHead}>
            <span className={classes.wallSites} style={toneStyle(sitesTone)}>
              <SitesIcon aria-hidden />
              {sites}
            </span>
            <Clock now={now + offset} />
          </div>
          {!heard && (
            <Notice tone="warning" title={t`The cloud is silent.`}>
              <Trans>The figures are those of {formatDuration(now - (receivedAt ?? now))} ago. They come back by themselves.</Trans>
            </Notice>
          )}
          <States agents={view.agents} onOpen={() => void openAgents()} />
          {view.queues.length === 0 && <NoQueues />}
          {view.queues.length > 0 && (
            <div className={classes.floor}>
              <div className={classes.queues}>
                <div className={classes.tiles}>
                  {view.queues.map((tile) => (
                    <Tile key={tile.id} tile={tile} goal={goal} day={day} now={now + offset} onAgents={() => void openAgents()} />
                  ))}
                </div>
                <Today goal={goal} />
              </div>
              <Agents agents={view.agents} now={now + offset} onOpen={() => void openAgents()} />
            </div>
          )}
          <Sites sites={view.sites} now={now + offset} />
        </div>
      )}
      <AgentPanel opened={agentsOpen} onClose={() => setAgentsOpen(false)} agents={view.agents} now={now + offset} />
    </Page>
  )
}

/** Server time minus local time; the largest difference is nearest to the truth, for messages arrive late, never early. */
function useServerOffset(serverTime: number | undefined, receivedAt: number | undefined): number {
  const [offset, setOffset] = useState<number>()
  useEffect(() => {
    if (serverTime === undefined || receivedAt === undefined) return
    const sample = serverTime - Date.now()
    setOffset((before) => (before === undefined || sample > before || before - sample > 60_000 ? sample : before))
  }, [serverTime, receivedAt])
  return offset ?? 0
}

async function onTheWall(board: HTMLElement | null): Promise<void> {
  try {
    await board?.requestFullscreen()
    const lock = await navigator.wakeLock?.request('screen')
    document.addEventListener('fullscreenchange', () => void lock?.release(), { once: true })
  } catch {
    // The browser or the person said no; the page stays as it is.
  }
}

function Clock({ now }: { now: number }) {
  const { i18n } = useLingui()
  return <time>{new Intl.DateTimeFormat(i18n.locale, { timeStyle: 'short' }).format(now)}</time>
}

function States({ agents, onOpen }: { agents: AgentLine[]; onOpen: () => void }) {
  const { i18n } = useLingui()
  const counts = byState(agents)
  return (
    <button type="button" className={classes.states} onClick={onOpen} data-testid="agent-states">
      {shownStates.map((state) => {
        const look = agentStateLook(state)
        const Shown = look.icon
        return (
          <span
            key={state}
            className={counts[state] > 0 ? classes.state : `${classes.state} ${classes.none}`}
            style={toneStyle(look.tone)}
            data-testid={`agents-${state}`}
          >
            <Shown aria-hidden />
            <strong>{counts[state]}</strong> {i18n._(look.word)}
          </span>
        )
      })}
    </button>
  )
}

function Sites({ sites, now }: { sites: SiteLine[]; now: number }) {
  return (
    <ul className={classes.sites} data-testid="site-ages">
      {sites.map((site) => {
        const tone = !site.connected ? 'breach' : site.stale ? 'warning' : 'ready'
        const Shown = toneIcon(tone)
        const age = formatDuration(now - site.at)
        return (
          <li key={site.id} className={classes.site} style={toneStyle(tone)}>
            <Shown size={16} aria-hidden />
            {site.name}
            <span>
              {!site.connected ? (
                <Trans>not connected, last heard {age} ago</Trans>
              ) : site.stale ? (
                <Trans>measured {age} ago</Trans>
              ) : (
                <Trans>
                  <Plural value={site.calls} one="# call" other="# calls" />, measured{' '}
                  {Math.max(0, Math.round((now - site.at) / 1000))} s ago
                </Trans>
              )}
            </span>
          </li>
        )
      })}
    </ul>
  )
}

function NoQueues() {
  const manages = may(useMe(), 'routing_manage')
  return (
    <EmptyState
      icon={IconLayoutDashboard}
      title={<Trans>No site has reported a queue yet</Trans>}
      action={
        manages && (
          <Button component={Link} to={paths.queues} variant="default">
            <Trans>Look at the queues</Trans>
          </Button>
        )
      }
    >
      <Trans>A queue appears as soon as a site that serves it is connected.</Trans>
    </EmptyState>
  )
}
