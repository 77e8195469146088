import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon, Menu, Tooltip } from '@mantine/core'
import { IconKeyboard, IconLogout, IconMicrophone, IconServer2, IconUser } from '@tabler/icons-react'
import { Preferences, StatusBadge } from '@/ui'
import type { CallView } from '../session/model'
import { asking } from './consult'
import { show } from './desk'
import classes from './desktop.module.css'
import { useKeys } from './keys'
import { OfferCard } from './offer-card'
import { StateMenu } from './state-menu'
import { TalkStrip } from './talk-strip'
import { useAgent, useCommand } from './use-agent'
import { useStateChange } from './use-state-change'

/** Always on top: the state, the call, and what can be done with it. */
export function CallBar() {
  const { t } = useLingui()
  const calls = useAgent((state) => state.calls)
  const offered = calls.find(({ state }) => state === 'offered')
  const current = calls.find(({ state }) => state === 'talking' || state === 'held')
  useCallKeys(offered, current)
  return (
    <section className={classes.bar} aria-label={t`Call bar`} data-testid="call-bar">
      <div className={classes.barRow}>
        <StateMenu />
        <div className={classes.grow} />
        <Links />
        <Tooltip label={t`Keys`} zIndex={500}>
          <ActionIcon aria-label={t`Keys`} onClick={() => show('keys')}>
            <IconKeyboard size={18} aria-hidden />
          </ActionIcon>
        </Tooltip>
        <Preferences />
        <Person />
      </div>
      {offered && <OfferCard key={offered.id} call={offered} />}
      {current && <TalkStrip key={current.id} call={current} />}
    </section>
  )
}

function useCallKeys(offered: CallView | undefined, current: CallView | undefined): void {
  const command = useCommand()
  const change = useStateChange()
  const muted = useAgent((state) => state.muted)
  const pending = useAgent((state) => state.pending)
  const idle = useAgent((state) => state.agent?.state === 'not_ready')
  const own = current?.consult?.asked ? undefined : current
  const on = (call: CallView | undefined, run: (callId: string) => void) => (call ? () => run(call.id) : undefined)
  useKeys({
    answer: on(offered, (callId) => void command({ name: 'accept', callId })),
    reject: on(offered, (callId) => void command({ name: 'reject', callId })),
    mute: on(current, (callId) => void command({ name: 'mute', callId, on: muted !== callId })),
    hold: on(own, (callId) => void command({ name: 'hold', callId, on: !(pending[callId]?.hold ?? current?.held) })),
    hangup: on(current, (callId) => void command({ name: current && asking(current) ? 'end_consult' : 'hangup', callId })),
    ready: idle ? () => void change('ready') : undefined,
    help: () => show('keys'),
  })
}

/** How many nodes this desktop listens to: two, of however many, survive the loss of one. */
function Links() {
  const { t } = useLingui()
  const links = useAgent((state) => state.links)
  const connection = useAgent((state) => state.connection)
  const alive = links.filter((link) => link.alive).length
  const names = links.map(({ name }) => name).join(', ')
  const tone = connection !== 'live' ? (connection === 'lost' ? 'breach' : 'off') : alive < links.length ? 'warning' : 'ready'
  return (
    <Tooltip label={names || t`No node yet`} zIndex={500}>
      <span data-testid="links" data-alive={alive}>
        <StatusBadge tone={tone} icon={IconServer2} plain>
          {connection === 'connecting' ? (
            <Trans>Connecting</Trans>
          ) : (
            <Trans>
              {alive} of {links.length} connections
            </Trans>
          )}
        </StatusBadge>
      </span>
    </Tooltip>
  )
}

function Person() {
  const { t } = useLingui()
  const command = useCommand()
  const name = useAgent((state) => state.agent?.name ?? '')
  // The desktop is all that holds the caller's line.
  const talks = useAgent((state) => state.calls.some((call) => call.state === 'talking' || call.state === 'held'))
  return (
    <Menu position="bottom-end" width={240} zIndex={500}>
      <Menu.Target>
        <button type="button" className={classes.person} aria-label={t`You: ${name}`}>
          <IconUser size={16} aria-hidden />
          <span className={classes.clip} data-testid="agent-name">
            {name}
          </span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconMicrophone size={14} aria-hidden />} onClick={() => show('check')} data-testid="open-check">
          <Trans>Microphone and connection</Trans>
        </Menu.Item>
        <Menu.Item leftSection={<IconKeyboard size={14} aria-hidden />} onClick={() => show('keys')}>
          <Trans>Keys</Trans>
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconLogout size={14} aria-hidden />}
          disabled={talks}
          onClick={() => void command({ name: 'sign_out' })}
          data-testid="sign-out"
        >
          {talks ? <Trans>Sign out after the call</Trans> : <Trans>Sign out of the site</Trans>}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
