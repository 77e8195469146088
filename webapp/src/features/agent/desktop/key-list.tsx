import { Trans, useLingui } from '@lingui/react/macro'
import { Button, Switch } from '@mantine/core'
import { useEffect, useState } from 'react'
import { Row, Section, Table } from '@/ui'
import { show } from './desk'
import { bind, type KeyAction, keyActionNames, keyActions, resetKeys, switchKeys, useBindings } from './keys'

/** All keys, each to be changed, and all to be switched off. */
export function KeyList() {
  const { i18n, t } = useLingui()
  const { on, keys } = useBindings()
  const [asking, setAsking] = useState<KeyAction>()
  useEffect(() => {
    if (!asking) return
    const press = (event: KeyboardEvent) => {
      event.preventDefault()
      event.stopPropagation()
      if (event.key.length === 1 && event.key !== ' ') bind(asking, event.key.toLowerCase())
      setAsking(undefined)
    }
    window.addEventListener('keydown', press, { capture: true, once: true })
    return () => window.removeEventListener('keydown', press, { capture: true })
  }, [asking])
  return (
    <Section
      title={t`Keys`}
      why={t`They work everywhere on this page but in fields you type in.`}
      action={
        <Button variant="default" onClick={() => show('work')}>
          <Trans>Back to work</Trans>
        </Button>
      }
    >
      <Row place="between">
        <Switch label={t`Use keys`} checked={on} onChange={(event) => switchKeys(event.currentTarget.checked)} />
        <Button size="xs" variant="default" onClick={resetKeys}>
          <Trans>Back to the usual keys</Trans>
        </Button>
      </Row>
      <div data-testid="key-list">
        <Table
          label={t`Keys`}
          quiet
          rows={keyActionNames.map((name) => ({ name }))}
          rowKey={({ name }) => name}
          empty={null}
          columns={[
            { id: 'action', header: t`Action`, cell: ({ name }) => i18n._(keyActions[name].word) },
            { id: 'key', header: t`Key`, width: 96, cell: ({ name }) => <kbd>{keys[name].toUpperCase()}</kbd> },
            {
              id: 'change',
              header: t`Change`,
              width: 160,
              cell: ({ name }) => (
                <Button
                  size="xs"
                  variant="default"
                  onClick={() => setAsking(name)}
                  aria-label={t`Change the key: ${i18n._(keyActions[name].word)}`}
                >
                  {asking === name ? <Trans>Press a key</Trans> : <Trans>Change</Trans>}
                </Button>
              ),
            },
          ]}
        />
      </div>
    </Section>
  )
}
