import { Trans, useLingui } from '@lingui/react/macro'
import { Button, Combobox, Popover, TextInput, useCombobox } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconArrowForwardUp } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import { agentStateLook, Duration, Skeleton, StatusBadge } from '@/ui'
import type { TransferTarget } from '../session/commands'
import type { TargetAgentView, TargetQueueView, TargetsView } from '../session/model'
import classes from './desktop.module.css'
import { Key } from './key'
import { useKeys } from './keys'
import { useAgent, useCommand } from './use-agent'
import { useTargets } from './use-targets'

const typedFor = 150

/** Passes the caller on: type a name, choose with the arrows, Enter. Who waits and who is free is as of this second. */
export function TransferPicker({ callId }: { callId: string }) {
  const { t } = useLingui()
  const command = useCommand()
  const passing = useAgent((state) => state.pending[callId]?.transfer)
  const [open, setOpen] = useState(false)
  useKeys({ transfer: () => setOpen(true) })
  const pass = (to: TransferTarget) => {
    setOpen(false)
    void command({ name: 'transfer', callId, to })
  }
  return (
    <Popover opened={open} onChange={setOpen} trapFocus returnFocus position="bottom-end" width={380} zIndex={500} shadow="md">
      <Popover.Target>
        <Button
          variant="default"
          data-testid="transfer"
          aria-expanded={open}
          loading={passing !== undefined}
          leftSection={<IconArrowForwardUp size={16} aria-hidden />}
          onClick={() => setOpen(!open)}
        >
          <Trans>Pass on</Trans>
          <Key of="transfer" />
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t`Pass the caller on`}>{open && <Targets onChoose={pass} />}</Popover.Dropdown>
    </Popover>
  )
}

function Targets({ onChoose }: { onChoose: (to: TransferTarget) => void }) {
  const { t } = useLingui()
  const [query, setQuery] = useState('')
  const [asked] = useDebouncedValue(query.trim(), typedFor)
  const { targets, stale } = useTargets(asked)
  const combobox = useCombobox({ opened: true })
  const { selectFirstOption, updateSelectedOptionIndex } = combobox
  const list = useRef<HTMLDivElement>(null)
  const listed = targets && [...targets.queues, ...targets.agents].map(({ id }) => id).join()
  // The first is chosen with each other question, and when the chosen one is no longer there.
  // biome-ignore lint/correctness/useExhaustiveDependencies: when the question or the list is another
  useEffect(() => {
    if (!listed) return
    // Whoever is chosen stays so when others come and go above them.
    if (list.current?.querySelector('[data-combobox-selected]')) updateSelectedOptionIndex('selected')
    else selectFirstOption()
  }, [asked, listed])
  const choose = (value: string) => {
    const queue = targets?.queues.find(({ id }) => value === `queue/${id}`)
    const agent = targets?.agents.find(({ id }) => value === `agent/${id}`)
    if (queue) onChoose({ queueId: queue.id, name: queue.name })
    if (agent?.ringable) onChoose({ agentId: agent.id, name: agent.name })
  }
  return (
    <Combobox store={combobox} onOptionSubmit={choose}>
      <Combobox.EventsTarget>
        <TextInput
          aria-label={t`Queue or agent`}
          placeholder={t`Name of a queue or an agent`}
          data-testid="transfer-search"
          data-autofocus
          value={query}
          onChange={(event) => setQuery(event.currentTarget.value)}
        />
      </Combobox.EventsTarget>
      <div className={classes.targets} ref={list} data-testid="transfer-targets">
        {stale && (
          <p className={classes.quiet} role="status" data-testid="transfer-stale">
            <Trans>The site does not answer just now. It is asked again each second.</Trans>
          </p>
        )}
        {targets ? <Found targets={targets} query={asked} /> : <Skeleton rows={3} />}
      </div>
    </Combobox>
  )
}

function Found({ targets, query }: { targets: TargetsView; query: string }) {
  const { t } = useLingui()
  const { queues, agents, more } = targets
  if (queues.length + agents.length === 0) {
    return (
      <p className={classes.quiet} role="status">
        {query ? (
          <Trans>No queue and no signed-in agent is called “{query}”.</Trans>
        ) : (
          <Trans>There is nobody to pass the caller on to.</Trans>
        )}
      </p>
    )
  }
  return (
    <>
      <Combobox.Options aria-label={t`Queues and agents`}>
        {queues.length > 0 && (
          <Combobox.Group label={t`Queues`}>
            {queues.map((queue) => (
              <QueueOption key={queue.id} queue={queue} />
            ))}
          </Combobox.Group>
        )}
        {agents.length > 0 && (
          <Combobox.Group label={t`Agents`}>
            {agents.map((agent) => (
              <AgentOption key={agent.id} agent={agent} />
            ))}
          </Combobox.Group>
        )}
      </Combobox.Options>
      {more && (
        <p className={classes.quiet}>
          <Trans>There are more. Type a part of the name.</Trans>
        </p>
      )}
    </>
  )
}

function QueueOption({ queue }: { queue: TargetQueueView }) {
  return (
    <Combobox.Option value={`queue/${queue.id}`} data-testid="transfer-queue">
      <span className={classes.target}>
        <span className={classes.clip}>{queue.name}</span>
        <span className={classes.quiet}>
          <Trans>
            {queue.waiting} waiting, {queue.ready} ready
          </Trans>
        </span>
      </span>
    </Combobox.Option>
  )
}

function AgentOption({ agent }: { agent: TargetAgentView }) {
  const { i18n } = useLingui()
  const offsetMs = useAgent((state) => state.clockOffset)
  const look = agentStateLook(agent.state)
  return (
    <Combobox.Option value={`agent/${agent.id}`} disabled={!agent.ringable} data-testid="transfer-agent">
      <span className={classes.target}>
        <span className={classes.clip}>{agent.name}</span>
        <StatusBadge tone={look.tone} icon={look.icon} plain>
          {i18n._(look.word)} <Duration since={new Date(agent.since)} offsetMs={offsetMs} />
        </StatusBadge>
      </span>
    </Combobox.Option>
  )
}
