import { useMutation } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon, Menu } from '@mantine/core'
import { IconCheck, IconCoffee, IconDots, IconLogout, IconUsers } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { may, useMe } from '@/api'
import { LiveService } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { paths } from '@/app/paths'
import { agentStateLook, confirm, Duration, done, EmptyState, failed, SidePanel, StatusBadge, Table } from '@/ui'
import { useReason } from './agents'
import { type AgentLine, orderOf } from './floor'

interface Props {
  opened: boolean
  onClose: () => void
  agents: AgentLine[]
  /** Server time. */
  now: number
}

/** Everybody on the floor, and what a supervisor may do about their state. */
export function AgentPanel({ opened, onClose, agents, now }: Props) {
  const { i18n, t } = useLingui()
  const commands = may(useMe(), 'floor_command')
  const reason = useReason()
  return (
    <SidePanel
      opened={opened}
      onClose={onClose}
      title={t`Agents`}
      why={t`A command is carried to the site and written to the audit log.`}
      wide
    >
      <Table
        label={t`Agents`}
        rows={agents}
        rowKey={(agent) => agent.id}
        sortBy={{ id: 'state' }}
        empty={
          <EmptyState icon={IconUsers} title={<Trans>Nobody is signed in</Trans>}>
            <Trans>Agents appear here as soon as they open their desktop.</Trans>
          </EmptyState>
        }
        columns={[
          {
            id: 'name',
            header: t({ message: 'Name', context: 'person' }),
            cell: (agent) => agent.name,
            sort: (agent) => agent.name,
          },
          {
            id: 'state',
            header: t`State`,
            sort: orderOf,
            cell: (agent) => {
              const look = agentStateLook(agent.state, agent.reason)
              return (
                <>
                  <StatusBadge tone={agent.stale ? 'off' : look.tone} icon={look.icon}>
                    {i18n._(look.word)}
                  </StatusBadge>{' '}
                  {reason(agent)}
                </>
              )
            },
          },
          {
            id: 'since',
            header: t`For`,
            align: 'end',
            sort: (agent) => agent.since,
            cell: (agent) => <Duration ms={agent.since === undefined || agent.stale ? undefined : now - agent.since} />,
          },
          { id: 'site', header: t`Site`, cell: (agent) => agent.site, sort: (agent) => agent.site },
          { id: 'actions', header: '', align: 'end', width: 48, cell: (agent) => <AgentMenu agent={agent} commands={commands} /> },
        ]}
      />
    </SidePanel>
  )
}

function AgentMenu({ agent, commands }: { agent: AgentLine; commands: boolean }) {
  const { t } = useLingui()
  const { mutateAsync } = useMutation(LiveService.method.commandAgent)
  const send = async (command: 'ready' | 'not_ready' | 'sign_out') => {
    await mutateAsync({ agentId: agent.id, command })
    done(t`Sent to ${agent.site}.`)
  }
  const now = (command: 'ready' | 'not_ready') => void send(command).catch(failed)
  const signOut = () =>
    confirm({
      title: t`Sign out ${agent.name}?`,
      consequence: t`A call in progress is finished first. They have to sign in again to take calls.`,
      confirm: t`Sign out`,
      danger: true,
      run: () => send('sign_out'),
    })
  const { state } = agent
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon aria-label={t`Actions for ${agent.name}`} data-testid="agent-actions">
          <IconDots size={16} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component={Link} to={paths.calls} search={{ agent: agent.id } as never}>
          <Trans>Their calls</Trans>
        </Menu.Item>
        {commands && (
          <>
            <Menu.Item
              leftSection={<IconCheck size={14} aria-hidden />}
              disabled={state === 'ready' || state === 'offline'}
              onClick={() => now('ready')}
            >
              <Trans>Make ready</Trans>
            </Menu.Item>
            <Menu.Item
              leftSection={<IconCoffee size={14} aria-hidden />}
              disabled={state === 'not_ready' || state === 'offline'}
              onClick={() => now('not_ready')}
            >
              <Trans>Send on a break</Trans>
            </Menu.Item>
            <Menu.Item leftSection={<IconLogout size={14} aria-hidden />} disabled={state === 'offline'} onClick={signOut}>
              <Trans>Sign out</Trans>
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  )
}
