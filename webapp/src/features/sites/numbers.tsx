import { useInfiniteQuery, useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconHash, IconPlugConnected, IconPlus } from '@tabler/icons-react'
import { useMemo } from 'react'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { type PhoneNumber as Number_, type Site, SiteService, type Trunk } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { type Column, EmptyState, Loaded, Page, PhoneNumber, Section, SidePanel, StatusBadge, Table, useAddress } from '@/ui'
import { NumberForm } from './number-form'
import { TrunkForm } from './trunk-form'

const NEW = 'new'

/** Lines to carriers, and the numbers that arrive on them. */
export function NumbersPage() {
  const { t } = useLingui()
  const sites = useQuery(SiteService.method.listSites, { pageSize: 100 })
  const trunks = useQuery(SiteService.method.listTrunks, {})
  const own = sites.data?.sites.filter(({ hosted }) => !hosted)
  return (
    <Page title={t`Trunks and numbers`} why={t`A trunk is the line to a carrier; a number on it leads callers into a call flow.`}>
      <Loaded query={sites}>
        {(data) => (
          <>
            <Loaded query={trunks}>{({ trunks: list }) => <Trunks trunks={list} sites={data.sites} own={own ?? []} />}</Loaded>
            <Loaded query={trunks}>{({ trunks: list }) => <Numbers trunks={list} sites={data.sites} own={own ?? []} />}</Loaded>
          </>
        )}
      </Loaded>
    </Page>
  )
}

interface Given {
  trunks: Trunk[]
  sites: Site[]
  /** Sites of the tenant's own: trunks of a hosted site are the platform's. */
  own: Site[]
}

function Trunks({ trunks, sites, own }: Given) {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const siteName = (id: string) => sites.find((site) => site.id === id)?.name ?? '–'
  const columns: Column<Trunk>[] = [
    { id: 'name', header: t`Trunk`, cell: (k) => k.name, sort: (k) => k.name },
    { id: 'site', header: t`Site`, cell: (k) => siteName(k.siteId), sort: (k) => siteName(k.siteId) },
    {
      id: 'target',
      header: t`Calls out to`,
      cell: (k) => (k.target ? `${k.target} (${k.transport.toUpperCase()})` : '–'),
      sort: (k) => k.target,
    },
    { id: 'allowed', header: t`Calls in from`, cell: (k) => k.allowed.join(', ') || '–' },
    { id: 'max', header: t`Calls at most`, align: 'end', cell: (k) => k.maxCalls || t`no limit`, sort: (k) => k.maxCalls },
    {
      id: 'whose',
      header: t`Shared`,
      quietHeader: true,
      align: 'end',
      cell: (k) =>
        k.platform && (
          <StatusBadge tone="off">
            <Trans>Shared, read-only</Trans>
          </StatusBadge>
        ),
    },
  ]
  const add = own.length > 0 && (
    <Button size="xs" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setAddress({ trunk: NEW })}>
      <Trans>Add a trunk</Trans>
    </Button>
  )
  const open = trunks.find(({ id }) => id === address.trunk)
  const shown = address.trunk === NEW || open !== undefined
  const close = () => setAddress({ trunk: undefined })
  return (
    <Section title={t`Trunks`} action={trunks.length > 0 && add}>
      <Table
        label={t`Trunks`}
        columns={columns}
        rows={trunks}
        rowKey={(k) => k.id}
        sortBy={{ id: 'name' }}
        onOpen={(k) => setAddress({ trunk: k.id })}
        selected={address.trunk}
        quiet
        empty={
          <EmptyState icon={IconPlugConnected} title={<Trans>No trunk yet</Trans>} action={add}>
            {own.length > 0 ? (
              <Trans>Enter what your carrier gave you: where to send calls, and the addresses its calls come from.</Trans>
            ) : (
              <Trans>
                Trunks belong to a site of your own. On the hosted site the platform connects carriers and gives you numbers.
              </Trans>
            )}
          </EmptyState>
        }
      />
      <SidePanel
        opened={shown}
        onClose={close}
        title={open?.name ?? t`New trunk`}
        why={
          open?.platform
            ? t`Run by the platform and shared; you cannot change it.`
            : t`Changes apply at the site within two seconds. Running calls go on.`
        }
      >
        {shown && <TrunkForm key={open?.id ?? NEW} trunk={open} sites={own} onDone={close} />}
      </SidePanel>
    </Section>
  )
}

function Numbers({ trunks, sites, own }: Given) {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const numbers = useInfiniteQuery(
    SiteService.method.listNumbers,
    { pageToken: '', pageSize: 100 },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  )
  const flows = useQuery(RoutingService.method.listFlows, {})
  const rows = useMemo(() => numbers.data?.pages.flatMap((page) => page.numbers), [numbers.data])
  const trunkName = (id: string) => trunks.find((trunk) => trunk.id === id)?.name ?? '–'
  const flowName = (id: string) => flows.data?.flows.find((flow) => flow.id === id)?.name ?? '–'
  const columns: Column<Number_>[] = [
    { id: 'e164', header: t`Number`, cell: (n) => <PhoneNumber e164={n.e164} />, sort: (n) => n.e164 },
    { id: 'flow', header: t`Call flow`, cell: (n) => flowName(n.flowId), sort: (n) => flowName(n.flowId) },
    { id: 'trunk', header: t`Trunk`, cell: (n) => trunkName(n.trunkId), sort: (n) => trunkName(n.trunkId) },
    {
      id: 'sites',
      header: t`Sites, in order`,
      cell: (n) => n.siteIds.map((id) => sites.find((site) => site.id === id)?.name ?? '…').join(' → ') || '–',
    },
  ]
  const usable = trunks.some(({ platform }) => !platform)
  const add = usable && (
    <Button
      size="xs"
      variant="default"
      leftSection={<IconPlus size={14} aria-hidden />}
      onClick={() => setAddress({ number: NEW })}
    >
      <Trans>Add a number</Trans>
    </Button>
  )
  const open = rows?.find(({ id }) => id === address.number)
  const shown = address.number === NEW || open !== undefined
  const close = () => setAddress({ number: undefined })
  return (
    <Section title={t`Numbers`} action={rows && rows.length > 0 && add}>
      <Loaded query={{ ...numbers, data: rows }}>
        {(list) => (
          <Table
            label={t`Numbers`}
            columns={columns}
            rows={list}
            rowKey={(n) => n.id}
            sortBy={{ id: 'e164' }}
            onOpen={(n) => setAddress({ number: n.id })}
            selected={address.number}
            more={{ hasMore: numbers.hasNextPage, loading: numbers.isFetchingNextPage, load: () => void numbers.fetchNextPage() }}
            empty={
              <EmptyState icon={IconHash} title={<Trans>No number yet</Trans>} action={add}>
                {usable ? (
                  <Trans>Add the numbers your carrier sends over the trunk.</Trans>
                ) : (
                  <Trans>A number needs a trunk first.</Trans>
                )}
              </EmptyState>
            }
          />
        )}
      </Loaded>
      <SidePanel opened={shown} onClose={close} title={open ? t`Number` : t`New number`}>
        {shown && (
          <NumberForm
            key={open?.id ?? NEW}
            number={open}
            platform={trunks.find(({ id }) => id === open?.trunkId)?.platform ?? false}
            trunks={trunks.filter(({ platform }) => !platform)}
            sites={own}
            flows={flows.data?.flows ?? []}
            onDone={close}
          />
        )}
      </SidePanel>
    </Section>
  )
}
