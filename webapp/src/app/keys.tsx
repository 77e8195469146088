import { Trans, useLingui } from '@lingui/react/macro'
import { Switch } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { createStore, useStore } from 'zustand'
import { useMe } from '@/api'
import { occupied, SidePanel, Stack, Table } from '@/ui'
import { searchKey } from './palette'
import { type Path, paths } from './paths'
import { visiblePages } from './shell'

/** Pressed after "g", as in go. */
const letters: Partial<Record<Path, string>> = {
  [paths.desktop]: 'd',
  [paths.wallboard]: 'w',
  [paths.calls]: 'c',
  [paths.reports]: 'r',
  [paths.setup]: 'f',
  [paths.sites]: 's',
  [paths.numbers]: 'n',
  [paths.queues]: 'q',
  [paths.flow]: 'l',
  [paths.prompts]: 'p',
  [paths.members]: 'm',
  [paths.settings]: 't',
  [paths.tenants]: 'c',
  [paths.platformSites]: 's',
  [paths.audit]: 'a',
}

/** The second key of two must follow within this long. */
const togetherMs = 1200
const stored = 'trunkline-keys'

const keys = createStore<{ on: boolean; listed: boolean }>(() => ({ on: recall(), listed: false }))
export const listKeys = () => keys.setState({ listed: true })

/** The keys of the shell: "?" lists them, "g" and a letter goes to a page. They can be switched off, for those who dictate. */
export function Keys() {
  const { i18n, t } = useLingui()
  const navigate = useNavigate()
  const { on, listed } = useStore(keys)
  const shown = visiblePages(useMe()).filter(({ path }) => letters[path])
  const go = useRef(shown)
  go.current = shown
  useEffect(() => {
    let going = 0
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey || occupied(event.target)) return
      if (!keys.getState().on) return
      const page = Date.now() - going < togetherMs && go.current.find(({ path }) => letters[path] === event.key.toLowerCase())
      going = 0
      if (page) void navigate({ to: page.path })
      else if (event.key === 'g') going = Date.now()
      else if (event.key === '?') listKeys()
      else return
      event.preventDefault()
    }
    window.addEventListener('keydown', press)
    return () => window.removeEventListener('keydown', press)
  }, [navigate])
  const rows = [
    { what: t`Find a page`, key: searchKey },
    { what: t`This list`, key: '?' },
    ...shown.map(({ path, nav }) => ({ what: i18n._(nav.label), key: `G ${letters[path]?.toUpperCase()}` })),
    { what: t`Walk through the rows of a table`, key: '↑ ↓' },
    { what: t`Open the row`, key: '↵' },
    { what: t`Close a panel`, key: 'Esc' },
  ]
  return (
    <SidePanel
      opened={listed}
      onClose={() => keys.setState({ listed: false })}
      title={t`Keys`}
      why={t`They work everywhere but in fields you type in.`}
    >
      <Stack gap="wide">
        <Switch label={t`Use keys`} checked={on} onChange={(event) => turn(event.currentTarget.checked)} />
        <Table
          label={t`Keys`}
          quiet
          rows={rows}
          rowKey={({ what }) => what}
          empty={null}
          columns={[
            { id: 'what', header: t`Action`, cell: ({ what }) => what },
            { id: 'key', header: t`Key`, width: 120, cell: ({ key }) => <kbd>{key}</kbd> },
          ]}
        />
        <p>
          <Trans>The agent desktop has keys of its own; press ? there.</Trans>
        </p>
      </Stack>
    </SidePanel>
  )
}

function recall(): boolean {
  try {
    return localStorage.getItem(stored) !== 'off'
  } catch {
    return true
  }
}

function turn(on: boolean): void {
  keys.setState({ on })
  try {
    localStorage.setItem(stored, on ? 'on' : 'off')
  } catch {
    // Kept for this page only.
  }
}
