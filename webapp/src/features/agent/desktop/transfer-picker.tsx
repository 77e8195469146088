import type { MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button, Combobox, Popover, TextInput, useCombobox } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { type Icon, IconArrowForwardUp, IconMessageQuestion } from '@tabler/icons-react'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { agentStateLook, Duration, formatPhone, PhoneNumber, Skeleton, StatusBadge } from '@/ui'
import type { TransferTarget } from '../session/commands'
import type { TargetAgentView, TargetNumberView, TargetQueueView, TargetsView } from '../session/model'
import classes from './desktop.module.css'
import { Key } from './key'
import { useKeys } from './keys'
import { useAgent, useCommand } from './use-agent'
import { useTargets } from './use-targets'

const typedFor = 150

/** Passes the caller on: type a name or a number outside, choose with the arrows, Enter. Who waits and who is free is as of this second. */
export function TransferPicker({ callId }: { callId: string }) {
  const { t } = useLingui()
  const command = useCommand()
  const passing = useAgent((state) => state.pending[callId]?.transfer)
  return (
    <Picker
      action="transfer"
      callId={callId}
      icon={IconArrowForwardUp}
      label={t`Pass the caller on`}
      loading={passing !== undefined}
      onChoose={(to) => void command({ name: 'transfer', callId, to })}
    >
      <Trans>Pass on</Trans>
    </Picker>
  )
}

/** Asks a colleague while the caller waits with music. */
export function ConsultPicker({ callId }: { callId: string }) {
  const { t } = useLingui()
  const command = useCommand()
  const asking = useAgent((state) => state.pending[callId]?.consult)
  return (
    <Picker
      action="consult"
      callId={callId}
      icon={IconMessageQuestion}
      label={t`Ask a colleague`}
      loading={asking !== undefined}
      onChoose={({ agentId, name }) => agentId && void command({ name: 'consult', callId, agentId, agentName: name })}
    >
      <Trans>Ask</Trans>
    </Picker>
  )
}

interface PickerProps {
  action: 'transfer' | 'consult'
  callId: string
  icon: Icon
  /** What choosing does. */
  label: string
  loading: boolean
  onChoose(to: TransferTarget): void
  children: ReactNode
}

function Picker({ action, callId, icon: Sign, label, loading, onChoose, children }: PickerProps) {
  const [open, setOpen] = useState(false)
  useKeys({ [action]: () => setOpen(true) })
  const choose = (to: TransferTarget) => {
    setOpen(false)
    onChoose(to)
  }
  return (
    <Popover opened={open} onChange={setOpen} trapFocus returnFocus position="bottom-end" width={380} zIndex={500} shadow="md">
      <Popover.Target>
        <Button
          variant="default"
          data-testid={action}
          aria-expanded={open}
          loading={loading}
          leftSection={<Sign size={16} aria-hidden />}
          onClick={() => setOpen(!open)}
        >
          {children}
          <Key of={action} />
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={label}>
        {open && <Targets callId={callId} colleagues={action === 'consult'} onChoose={choose} />}
      </Popover.Dropdown>
    </Popover>
  )
}

interface TargetsProps {
  callId: string
  /** Agents only. */
  colleagues: boolean
  onChoose(to: TransferTarget): void
}

function Targets({ callId, colleagues, onChoose }: TargetsProps) {
  const { t } = useLingui()
  const [query, setQuery] = useState('')
  const [asked] = useDebouncedValue(query.trim(), typedFor)
  const { targets: all, stale } = useTargets(callId, asked)
  const targets = all && colleagues ? { ...all, queues: [], number: undefined } : all
  const combobox = useCombobox({ opened: true })
  const { selectFirstOption, updateSelectedOptionIndex } = combobox
  const list = useRef<HTMLDivElement>(null)
  const listed = targets && [...targets.queues, ...targets.agents].map(({ id }) => id).join() + (targets.number?.number ?? '')
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
    const { number = '', callable } = targets?.number ?? {}
    if (callable && value === `number/${number}`) onChoose({ number, name: formatPhone(number) })
  }
  return (
    <Combobox store={combobox} onOptionSubmit={choose}>
      <Combobox.EventsTarget>
        <TextInput
          aria-label={colleagues ? t`Colleague` : t`Queue, agent or number`}
          placeholder={colleagues ? t`Name of a colleague` : t`Name of a queue or an agent, or a number`}
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
        {targets ? <Found targets={targets} query={asked} colleagues={colleagues} /> : <Skeleton rows={3} />}
      </div>
    </Combobox>
  )
}

function Found({ targets, query, colleagues }: { targets: TargetsView; query: string; colleagues: boolean }) {
  const { t } = useLingui()
  const { queues, agents, number, more } = targets
  if (queues.length + agents.length === 0 && !number) {
    return (
      <p className={classes.quiet} role="status">
        {colleagues ? (
          <Trans>No colleague of that name is signed in.</Trans>
        ) : query ? (
          <Trans>No queue and no signed-in agent is called “{query}”.</Trans>
        ) : (
          <Trans>There is nobody to pass the caller on to.</Trans>
        )}
      </p>
    )
  }
  return (
    <>
      <Combobox.Options aria-label={t`Queues, agents and numbers`}>
        {number && (
          <Combobox.Group label={t`Outside`}>
            <NumberOption number={number} />
          </Combobox.Group>
        )}
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

/** Why a number is not called, by TargetNumber.problem. */
const problems: Record<string, MessageDescriptor> = {
  invalid: msg`This is no telephone number yet.`,
  off: msg`Calls to numbers outside are switched off.`,
  prefix: msg`Numbers of this country or area are not allowed.`,
  premium: msg`Premium-rate numbers are not allowed.`,
  no_trunk: msg`There is no line for calls to the outside.`,
  upgrading: msg`The site is being upgraded; numbers can be called soon.`,
}

function NumberOption({ number: { number, callable, problem } }: { number: TargetNumberView }) {
  const { i18n, t } = useLingui()
  return (
    <Combobox.Option value={`number/${number}`} disabled={!callable} data-testid="transfer-number">
      <span className={callable ? classes.target : classes.refused}>
        {number && (
          <span className={classes.clip}>
            <PhoneNumber e164={number} />
          </span>
        )}
        <span className={classes.quiet}>
          {callable ? t`Call it and pass on` : i18n._(problems[problem] ?? msg`This number cannot be called.`)}
        </span>
      </span>
    </Combobox.Option>
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
