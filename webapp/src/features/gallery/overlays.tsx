import { Code, ConnectError } from '@connectrpc/connect'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button, Menu, Tooltip } from '@mantine/core'
import { useState } from 'react'
import { confirm, done, Facts, failed, Row, Section, SidePanel } from '@/ui'

export function Overlays() {
  const { t } = useLingui()
  const [panel, setPanel] = useState(false)
  const ask = () =>
    confirm({
      title: t`Delete Example Ltd?`,
      consequence: t`Everything of this company is removed for good after the grace period.`,
      confirm: t`Delete company`,
      danger: true,
      typed: 'example',
      reason: { label: t`Reason`, minLength: 5 },
      run: () => Promise.reject(new ConnectError('', Code.FailedPrecondition)),
    })
  return (
    <Section title={t`Overlays`} why={t`Panels for detail; a dialog only before something is lost.`}>
      <Row>
        <Button variant="default" onClick={() => setPanel(true)}>
          <Trans>Open a panel</Trans>
        </Button>
        <Button variant="default" onClick={ask}>
          <Trans>Ask before deleting</Trans>
        </Button>
        <Button variant="default" onClick={() => done(t`Saved.`)}>
          <Trans>Say it is done</Trans>
        </Button>
        <Button variant="default" onClick={() => failed(new ConnectError('', Code.Unavailable))}>
          <Trans>Say it failed</Trans>
        </Button>
        <Menu>
          <Menu.Target>
            <Button variant="default">
              <Trans>Menu</Trans>
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item>{t`Your account`}</Menu.Item>
            <Menu.Item color="red">{t`Sign out`}</Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <Tooltip label={t`The exact time stands here.`}>
          <Button variant="subtle">
            <Trans>Tooltip</Trans>
          </Button>
        </Tooltip>
      </Row>
      <SidePanel
        opened={panel}
        onClose={() => setPanel(false)}
        title={t`Node n1`}
        why={t`Version 0.1.0`}
        footer={<Button onClick={() => setPanel(false)}>{t`Done`}</Button>}
      >
        <Facts
          of={[
            [t`Role`, t`Leader of the group`],
            [t`Records to upload`, '0'],
          ]}
        />
      </SidePanel>
    </Section>
  )
}
