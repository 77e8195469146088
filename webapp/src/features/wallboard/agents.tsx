import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { agentStateLook, Duration, StatusBadge } from '@/ui'
import { type AgentLine, inOrder } from './floor'
import classes from './wallboard.module.css'

/** As many as stand beside the tiles without scrolling; the panel has all. */
const shown = 14

/** Who is on the floor, in which state, for how long. */
export function Agents({ agents, now, onOpen }: { agents: AgentLine[]; now: number; onOpen: () => void }) {
  const { i18n, t } = useLingui()
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
          const look = agentStateLook(agent.state)
          return (
            <li key={agent.id} className={classes.agent}>
              <span className={classes.agentName} title={agent.name}>
                {agent.name}
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
