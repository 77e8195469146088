import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { agentStateLook, Duration, reasonWord, StatusBadge } from '@/ui'
import { type AgentLine, inOrder } from './floor'
import classes from './wallboard.module.css'

/** As many as stand beside the tiles without scrolling; the panel has all. */
const shown = 14

/** Says why an agent is on a break, in a few words; undefined when there is nothing to say. */
export function useReason(): (agent: AgentLine) => string | undefined {
  const { i18n } = useLingui()
  const { data } = useQuery(RoutingService.method.getSettings, {}, { staleTime: 300_000 })
  return ({ state, reason }) =>
    state === 'not_ready' ? reasonWord(reason, data?.breakReasons ?? [], (word) => i18n._(word)) : undefined
}

/** Who is on the floor, in which state, for how long. */
export function Agents({ agents, now, onOpen }: { agents: AgentLine[]; now: number; onOpen: () => void }) {
  const { i18n, t } = useLingui()
  const reason = useReason()
  const sorted = inOrder(agents)
  const more = sorted.length - shown
  return (
    <section className={classes.agents} aria-label={t`Agents`}>
      <div className={classes.chartHead}>
        <h2 className={classes.heading}>
          <Trans>Agents</Trans>
        </h2>
        {agents.length > 0 && (
          <Button size="xs" variant="subtle" onClick={onOpen}>
            {more > 0 ? <Trans>{more} more</Trans> : <Trans>Open</Trans>}
          </Button>
        )}
      </div>
      {agents.length === 0 && (
        <p className={classes.quiet}>
          <Trans>Nobody is signed in. Agents appear as soon as they open their desktop.</Trans>
        </p>
      )}
      <ul className={classes.agentList}>
        {sorted.slice(0, shown).map((agent) => {
          const look = agentStateLook(agent.state, agent.reason)
          return (
            <li key={agent.id} className={classes.agent}>
              <span className={classes.agentName} title={agent.name}>
                {agent.name}
                {reason(agent) && <span className={classes.agentReason}>{reason(agent)}</span>}
              </span>
              <StatusBadge tone={agent.stale ? 'off' : look.tone} icon={look.icon} plain>
                {i18n._(look.word)}
              </StatusBadge>
              <span className={classes.agentTime}>
                <Duration ms={agent.since === undefined || agent.stale ? undefined : now - agent.since} />
              </span>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
