import { Trans, useLingui } from '@lingui/react/macro'
import { Button, Menu, VisuallyHidden } from '@mantine/core'
import { IconCheck, IconChevronDown, IconCoffee } from '@tabler/icons-react'
import { agentStateLook, Duration, reasonWord, toneStyle } from '@/ui'
import type { AgentState } from '../session/model'
import classes from './desktop.module.css'
import { Key } from './key'
import { useAgent } from './use-agent'
import { useStateChange } from './use-state-change'

const busy: AgentState[] = ['reserved', 'ringing', 'talking', 'held', 'wrap_up']

/** The agent's state as icon, word, reason and time, with the way to another. During a call the choice is for after it. */
export function StateMenu() {
  const { i18n, t } = useLingui()
  const agent = useAgent((state) => state.agent)
  const pending = useAgent((state) => state.statePending)
  const breaks = useAgent((state) => state.breakReasons)
  const offsetMs = useAgent((state) => state.clockOffset)
  const change = useStateChange()
  if (!agent) return null
  const look = agentStateLook(agent.state, agent.reason)
  const reason = agent.state === 'not_ready' ? reasonWord(agent.reason, breaks, (word) => i18n._(word)) : undefined
  const inCall = busy.includes(agent.state)
  const shownNext = inCall ? agent.nextState : undefined
  const Shown = look.icon
  return (
    <>
      <Menu position="bottom-start" width={240} zIndex={500}>
        <Menu.Target>
          <button
            type="button"
            className={classes.state}
            style={toneStyle(look.tone)}
            data-testid="agent-state"
            data-state={agent.state}
          >
            <Shown size={16} aria-hidden />
            <span data-testid="agent-state-text">{i18n._(look.word)}</span>
            {reason && <span className={classes.stateReason}>{reason}</span>}
            <span className={classes.timer}>
              <Duration since={new Date(agent.since)} offsetMs={offsetMs} />
            </span>
            <IconChevronDown size={14} aria-hidden />
            {pending && <VisuallyHidden>{t`changing`}</VisuallyHidden>}
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{inCall ? <Trans>After this call</Trans> : <Trans>Change to</Trans>}</Menu.Label>
          <Menu.Item
            leftSection={<IconCheck size={14} aria-hidden />}
            onClick={() => void change('ready')}
            disabled={agent.state === 'ready'}
          >
            <Trans>Ready</Trans>
          </Menu.Item>
          {breaks.map((choice) => (
            <Menu.Item
              key={choice.id}
              leftSection={<IconCoffee size={14} aria-hidden />}
              onClick={() => void change('not_ready', choice.id)}
            >
              {choice.name}
            </Menu.Item>
          ))}
          {breaks.length === 0 && (
            <Menu.Item leftSection={<IconCoffee size={14} aria-hidden />} onClick={() => void change('not_ready')}>
              <Trans>Break</Trans>
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      {shownNext && (
        <span className={classes.quiet} data-testid="next-state">
          <Trans>
            then {i18n._(agentStateLook(shownNext).word)} {reasonWord(agent.nextReason, breaks, (word) => i18n._(word)) ?? ''}
          </Trans>
        </span>
      )}
      {(agent.state === 'not_ready' || agent.state === 'offline') && (
        <Button data-testid="ready" loading={pending === 'ready'} onClick={() => void change('ready')}>
          <Trans>Go ready</Trans>
          <Key of="ready" />
        </Button>
      )}
      {agent.state === 'ready' && (
        <Button
          variant="default"
          data-testid="not-ready"
          loading={pending === 'not_ready'}
          onClick={() => void change('not_ready', breaks[0]?.id ?? '')}
        >
          <Trans>Take a break</Trans>
        </Button>
      )}
    </>
  )
}
