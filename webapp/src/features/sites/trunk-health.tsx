import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { at } from '@/api'
import type { TrunkHealth } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import { type Column, EmptyState, RelativeTime, StatusBadge, Table } from '@/ui'

export function SiteTrunks({ trunks }: { trunks: TrunkHealth[] }) {
  const { t } = useLingui()
  const columns: Column<TrunkHealth>[] = useMemo(
    () => [
      { id: 'name', header: t`Trunk`, cell: (h) => h.name, sort: (h) => h.name },
      {
        id: 'reachable',
        header: t`Carrier`,
        cell: (h) =>
          h.reachable ? (
            <StatusBadge tone="ready">
              <Trans>Answers</Trans>
            </StatusBadge>
          ) : (
            <StatusBadge tone="off">
              <Trans>Not heard</Trans>
            </StatusBadge>
          ),
        sort: (h) => Number(h.reachable),
      },
      { id: 'calls', header: t`Calls now`, align: 'end', cell: (h) => h.calls, sort: (h) => h.calls },
      {
        id: 'last',
        header: t`Last call`,
        align: 'end',
        cell: (h) => <RelativeTime at={at(h.lastCallAt)} />,
        sort: (h) => at(h.lastCallAt),
      },
    ],
    [t],
  )
  return (
    <Table
      label={t`Trunks`}
      columns={columns}
      rows={trunks}
      rowKey={(h) => h.trunkId}
      empty={
        <EmptyState
          icon={IconPlugConnected}
          title={<Trans>No trunk at this site</Trans>}
          action={
            <Button component={Link} to={paths.numbers}>
              <Trans>Trunks and numbers</Trans>
            </Button>
          }
        >
          <Trans>A trunk is the line to a carrier. Without one only test calls from the browser arrive.</Trans>
        </EmptyState>
      }
    />
  )
}
