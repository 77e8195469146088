import { useInfiniteQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconBuilding, IconSearch } from '@tabler/icons-react'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useMemo, useState } from 'react'
import { at } from '@/api'
import { ConsoleService, type TenantSummary } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { paths } from '@/app/paths'
import { type Column, EmptyState, ExactTime, Loaded, Meta, Page, Row, Table, useAddress } from '@/ui'
import { CallsToday } from './calls-today'
import { TenantStatus } from './words'

/** Every company on the platform. */
export function TenantsPage() {
  const { t, i18n } = useLingui()
  const navigate = useNavigate()
  const [address, setAddress] = useAddress()
  const [typed, setTyped] = useState(address.search ?? '')
  const [search] = useDebouncedValue(typed.trim(), 250)
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was typed is written to the address
  useEffect(() => {
    if ((address.search ?? '') !== search) setAddress({ search })
  }, [search])
  const tenants = useInfiniteQuery(
    ConsoleService.method.listTenants,
    { search, pageToken: '', pageSize: 100 },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  )
  const rows = useMemo(() => tenants.data?.pages.flatMap((page) => page.tenants), [tenants.data])
  const columns: Column<TenantSummary>[] = useMemo(() => {
    const number = new Intl.NumberFormat(i18n.locale)
    return [
      {
        id: 'name',
        header: t`Company`,
        cell: (n) => (
          <Row>
            {n.name} <Meta>{n.slug}</Meta>
          </Row>
        ),
        sort: (n) => n.name,
      },
      { id: 'status', header: t`Status`, cell: (n) => <TenantStatus status={n.status} />, sort: (n) => n.status },
      { id: 'owner', header: t`Owner`, cell: (n) => n.ownerEmail || '–', sort: (n) => n.ownerEmail },
      { id: 'users', header: t`People`, align: 'end', cell: (n) => number.format(n.users), sort: (n) => n.users },
      { id: 'nodes', header: t`Nodes up`, align: 'end', cell: (n) => `${n.nodesUp} / ${n.nodes}`, sort: (n) => n.nodesUp },
      { id: 'calls', header: t`Calls today`, align: 'end', cell: (n) => <CallsToday tenant={n} />, sort: (n) => n.callsToday },
      {
        id: 'created',
        header: t`Since`,
        align: 'end',
        cell: (n) => <ExactTime at={at(n.createdAt)} style="date" />,
        sort: (n) => at(n.createdAt),
      },
    ]
  }, [t, i18n.locale])
  return (
    <Page
      title={t`Tenants`}
      why={t`Companies on this platform. Their calls and data stay theirs: acting as one needs a reason and is recorded.`}
      filters={
        <TextInput
          aria-label={t`Search tenants`}
          placeholder={t`Name, address or owner`}
          leftSection={<IconSearch size={14} aria-hidden />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      }
    >
      <Loaded query={{ ...tenants, data: rows }}>
        {(list) => (
          <Table
            label={t`Tenants`}
            columns={columns}
            rows={list}
            rowKey={(n) => String(n.id)}
            onOpen={(n) => void navigate({ to: paths.tenant, params: { tenantId: String(n.id) } as never })}
            more={{ hasMore: tenants.hasNextPage, loading: tenants.isFetchingNextPage, load: () => void tenants.fetchNextPage() }}
            empty={
              <EmptyState
                icon={IconBuilding}
                title={search ? <Trans>No company matches “{search}”</Trans> : <Trans>No company yet</Trans>}
              >
                <Trans>Companies appear here when they have confirmed their sign-up.</Trans>
              </EmptyState>
            }
          />
        )}
      </Loaded>
    </Page>
  )
}
