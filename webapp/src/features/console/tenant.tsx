import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { useParams } from '@tanstack/react-router'
import { at } from '@/api'
import { ConsoleService, type TenantDetail, type TenantSummary } from '@/api/gen/trunkline/cloud/v1/console_pb'
import type { Site } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import { nodesUp, SiteStatus, versionsOf } from '@/features/sites/words'
import { type Column, Columns, EmptyState, ExactTime, Facts, Loaded, Page, Section, StatTile, Table, useAddress } from '@/ui'
import { ActAs } from './act-as'
import { AuditTable } from './audit'
import { CallsTodayDefinition } from './calls-today'
import { TenantActions } from './tenant-actions'
import { TenantStatus } from './words'

/** One company: its state, its sites, what was done to it, and what may be done. */
export function TenantPage() {
  const { t } = useLingui()
  const { tenantId = '0' } = useParams({ strict: false }) as { tenantId?: string }
  const id = /^\d+$/.test(tenantId) ? BigInt(tenantId) : 0n
  const tenant = useQuery(ConsoleService.method.getTenant, { id })
  const summary = tenant.data?.summary
  return (
    <Page
      title={summary?.name ?? t`Tenant`}
      why={summary?.slug}
      back={{ to: paths.tenants, label: t`Tenants` }}
      status={summary && <TenantStatus status={summary.status} />}
      action={summary && <ActAs tenant={summary} />}
    >
      <Loaded query={tenant}>{(detail) => <Detail detail={detail} />}</Loaded>
    </Page>
  )
}

function Detail({ detail }: { detail: TenantDetail }) {
  const { t, i18n } = useLingui()
  const [{ act }] = useAddress()
  const { summary, sites, audit } = detail
  if (!summary) return null
  const number = new Intl.NumberFormat(i18n.locale)
  return (
    <>
      <Columns>
        <StatTile label={t`People`} value={number.format(summary.users)} />
        <StatTile label={t`Nodes up`} value={`${summary.nodesUp} / ${summary.nodes}`} />
        <StatTile
          label={t`Calls today`}
          value={number.format(summary.callsToday)}
          action={<CallsTodayDefinition key={act} tenant={summary} />}
        />
      </Columns>
      <Section title={t`Company`}>
        <Facts
          of={[
            [t`Owner`, summary.ownerEmail || '–'],
            [t`Company number`, String(summary.id)],
            [t`Since`, <ExactTime key="c" at={at(summary.createdAt)} />],
            summary.suspendedAt && [t`Suspended since`, <ExactTime key="s" at={at(summary.suspendedAt)} />],
          ]}
        />
      </Section>
      <Section title={t`Sites`}>
        <SiteTable sites={sites} />
      </Section>
      <Administration tenant={summary} />
      <Section title={t`What was done`}>
        <AuditTable entries={audit} />
      </Section>
    </>
  )
}

export function Administration({ tenant }: { tenant: TenantSummary }) {
  const { t } = useLingui()
  return (
    <Section
      title={t`Administration`}
      why={t`Each of these is recorded with your name, suspending and deleting also with your reason.`}
    >
      <TenantActions tenant={tenant} />
    </Section>
  )
}

export function SiteTable({ sites }: { sites: Site[] }) {
  const { t } = useLingui()
  const columns: Column<Site>[] = [
    { id: 'name', header: t`Site`, cell: (s) => s.name, sort: (s) => s.name },
    { id: 'status', header: t`Status`, cell: (s) => <SiteStatus site={s} />, sort: (s) => s.status },
    { id: 'kind', header: t`Runs on`, cell: (s) => (s.hosted ? t`Hosted nodes` : t`Own nodes`), sort: (s) => String(s.hosted) },
    { id: 'nodes', header: t`Nodes up`, align: 'end', cell: (s) => `${nodesUp(s)} / ${s.nodes.length}`, sort: nodesUp },
    { id: 'calls', header: t`Calls now`, align: 'end', cell: (s) => s.nodes.reduce((sum, n) => sum + n.calls, 0) },
    { id: 'version', header: t`Version`, cell: (s) => versionsOf(s) || '–' },
    {
      id: 'created',
      header: t`Since`,
      align: 'end',
      cell: (s) => <ExactTime at={at(s.createdAt)} style="date" />,
      sort: (s) => at(s.createdAt),
    },
  ]
  return (
    <Table
      label={t`Sites`}
      columns={columns}
      rows={sites}
      rowKey={(s) => s.id}
      quiet
      empty={<EmptyState title={<Trans>No site</Trans>} />}
    />
  )
}
