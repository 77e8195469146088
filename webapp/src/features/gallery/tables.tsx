import { useLingui } from '@lingui/react/macro'
import { useMemo, useState } from 'react'
import { type Column, callOutcomeLook, Duration, EmptyState, PhoneNumber, RelativeTime, Section, StatusBadge, Table } from '@/ui'

interface Row {
  id: string
  caller: string
  agent: string
  outcome: string
  waitMs: number
  at: Date
}

const outcomes = ['answered', 'abandoned', 'answered', 'self_service', 'answered', 'abandoned_short', 'max_wait']
const agents = ['Ada Lovelace', '王小明', 'Anneliese Freifrau von Hohenstein-Wittelsbach', 'Li Na', '']
const rows: Row[] = Array.from({ length: 24 }, (_, i) => ({
  id: String(i),
  caller: i % 7 === 3 ? '' : `+8610${String(81234567 + i * 7919)}`,
  agent: agents[i % agents.length] ?? '',
  outcome: outcomes[i % outcomes.length] ?? '',
  waitMs: ((i * 37) % 200) * 1000,
  at: new Date(Date.now() - i * 431_000),
}))

export function Tables() {
  const { t, i18n } = useLingui()
  const [open, setOpen] = useState('2')
  const [count, setCount] = useState(12)
  const columns: Column<Row>[] = useMemo(
    () => [
      { id: 'at', header: t`When`, cell: (r) => <RelativeTime at={r.at} />, sort: (r) => r.at },
      { id: 'caller', header: t`Caller`, cell: (r) => <PhoneNumber e164={r.caller} />, sort: (r) => r.caller },
      { id: 'agent', header: t`Agent`, cell: (r) => r.agent || '–', sort: (r) => r.agent },
      {
        id: 'outcome',
        header: t`Outcome`,
        cell: (r) => {
          const { tone, icon, word } = callOutcomeLook(r.outcome)
          return (
            <StatusBadge tone={tone} icon={icon}>
              {i18n._(word)}
            </StatusBadge>
          )
        },
        sort: (r) => r.outcome,
      },
      { id: 'wait', header: t`Waited`, align: 'end', cell: (r) => <Duration ms={r.waitMs} />, sort: (r) => r.waitMs },
    ],
    [t, i18n],
  )
  return (
    <Section title={t`Tables`} why={t`Arrow keys walk the rows, Enter opens one.`}>
      <Table
        label={t`Calls`}
        columns={columns}
        rows={rows.slice(0, count)}
        rowKey={(r) => r.id}
        selected={open}
        onOpen={(r) => setOpen(r.id)}
        sortBy={{ id: 'at', desc: true }}
        maxHeight={420}
        more={{ hasMore: count < rows.length, loading: false, load: () => setCount(rows.length) }}
        empty={<EmptyState title={t`No call yet`} />}
      />
    </Section>
  )
}
