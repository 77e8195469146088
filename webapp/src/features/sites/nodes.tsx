import { Trans, useLingui } from '@lingui/react/macro'
import { IconCrown } from '@tabler/icons-react'
import { useMemo } from 'react'
import { at } from '@/api'
import type { SiteNode } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { type Column, ExactTime, Facts, Meter, RelativeTime, Row, SidePanel, StatusBadge, Table, useAddress } from '@/ui'
import { NodeStatus } from './words'

const GB = 1_000_000_000

export function Nodes({ nodes }: { nodes: SiteNode[] }) {
  const { t, i18n } = useLingui()
  const [address, setAddress] = useAddress()
  const columns: Column<SiteNode>[] = useMemo(() => {
    const number = new Intl.NumberFormat(i18n.locale)
    return [
      {
        id: 'name',
        header: t`Node`,
        cell: (n) => (
          <Row>
            {n.name}
            {n.leader && (
              <StatusBadge tone="busy" icon={IconCrown} plain>
                <Trans>Leader</Trans>
              </StatusBadge>
            )}
          </Row>
        ),
        sort: (n) => n.name,
      },
      { id: 'status', header: t`Status`, cell: (n) => <NodeStatus node={n} />, sort: (n) => n.status },
      { id: 'seen', header: t`Last heard`, cell: (n) => <RelativeTime at={at(n.seenAt)} />, sort: (n) => at(n.seenAt) },
      { id: 'calls', header: t`Calls`, align: 'end', cell: (n) => number.format(n.calls), sort: (n) => n.calls },
      {
        id: 'lag',
        header: t`Behind leader`,
        align: 'end',
        cell: (n) => (n.lag === 0n ? t`current` : t`${number.format(n.lag)} entries`),
        sort: (n) => n.lag,
      },
      {
        id: 'waiting',
        header: t`To upload`,
        align: 'end',
        cell: (n) => number.format(n.factsWaiting + n.recordingsWaiting),
        sort: (n) => n.factsWaiting + n.recordingsWaiting,
      },
      { id: 'disk', header: t`Disk`, width: 140, cell: (n) => <Disk node={n} />, sort: (n) => n.diskFreeBytes },
      { id: 'version', header: t`Version`, cell: (n) => n.version || '–', sort: (n) => n.version },
    ]
  }, [t, i18n.locale])
  const open = nodes.find(({ name }) => name === address.node)
  return (
    <>
      <Table
        label={t`Nodes`}
        columns={columns}
        rows={nodes}
        rowKey={(n) => n.name}
        sortBy={{ id: 'name' }}
        onOpen={(n) => setAddress({ node: n.name })}
        selected={address.node}
        quiet
        empty={null}
      />
      <SidePanel
        opened={open !== undefined}
        onClose={() => setAddress({ node: undefined })}
        title={open?.name ?? ''}
        why={open?.version && t`Version ${open.version}`}
      >
        {open && <Detail node={open} />}
      </SidePanel>
    </>
  )
}

function Disk({ node }: { node: SiteNode }) {
  const { t } = useLingui()
  if (node.diskTotalBytes === 0n) return <>–</>
  const used = 1 - Number(node.diskFreeBytes) / Number(node.diskTotalBytes)
  const free = Math.round(Number(node.diskFreeBytes) / GB)
  return <Meter share={used} tone={used > 0.9 ? 'breach' : used > 0.75 ? 'warning' : 'off'} label={t`${free} GB free`} />
}

function Detail({ node }: { node: SiteNode }) {
  const { t } = useLingui()
  const offset = Number(node.clockOffsetUs) / 1000
  return (
    <Facts
      of={[
        [t`Status`, <NodeStatus key="s" node={node} />],
        [t`Role`, node.leader ? t`Leader of the group` : node.voter ? t`Votes` : t`Follows without a vote`],
        [t`Running since`, <ExactTime key="r" at={at(node.startedAt)} />],
        [t`Last heard`, <RelativeTime key="l" at={at(node.seenAt)} />],
        [t`Clock against the cloud`, Math.abs(offset) < 1 ? t`less than 1 ms` : t`${offset.toFixed(0)} ms`],
        [t`Node port`, node.nodeAddr || '–'],
        [t`Address for browsers`, node.webUrl || '–'],
        [t`Records to upload`, String(node.factsWaiting)],
        [t`Recordings to upload`, String(node.recordingsWaiting)],
        [t`Certificate valid until`, <ExactTime key="c" at={at(node.certificateExpiresAt)} style="date" />],
      ]}
    />
  )
}
