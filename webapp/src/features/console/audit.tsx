import { useInfiniteQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { IconHistory } from '@tabler/icons-react'
import { useMemo } from 'react'
import { at } from '@/api'
import { type AuditEntry, ConsoleService } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { type Column, EmptyState, ExactTime, Loaded, Page, Table, type TableProps } from '@/ui'
import { actorWords, auditAction } from './actions'

/** Who did what on the platform, to which company, and why. */
export function AuditPage() {
  const { t } = useLingui()
  const entries = useInfiniteQuery(
    ConsoleService.method.listAudit,
    { tenantId: 0n, pageToken: '', pageSize: 100 },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  )
  const rows = useMemo(() => entries.data?.pages.flatMap((page) => page.entries), [entries.data])
  return (
    <Page title={t`Audit log`} why={t`Who did what, to which company, and why. Entries cannot be changed.`}>
      <Loaded query={{ ...entries, data: rows }}>
        {(list) => (
          <AuditTable
            entries={list}
            withTenant
            more={{ hasMore: entries.hasNextPage, loading: entries.isFetchingNextPage, load: () => void entries.fetchNextPage() }}
          />
        )}
      </Loaded>
    </Page>
  )
}

export function AuditTable({
  entries,
  withTenant,
  more,
}: {
  entries: AuditEntry[]
  withTenant?: boolean
  more?: TableProps<AuditEntry>['more']
}) {
  const { t, i18n } = useLingui()
  const columns: Column<AuditEntry>[] = [
    { id: 'at', header: t`When`, cell: (e) => <ExactTime at={at(e.at)} />, sort: (e) => at(e.at), width: 170 },
    { id: 'actor', header: t`Who`, cell: (e) => actorWords(i18n, e.actor), sort: (e) => actorWords(i18n, e.actor) },
    { id: 'action', header: t`What`, cell: (e) => auditAction(i18n, e.action), sort: (e) => auditAction(i18n, e.action) },
    { id: 'subject', header: t`Object`, cell: (e) => e.subject || '–', sort: (e) => e.subject },
    { id: 'reason', header: t`Why`, cell: (e) => e.reason || '–' },
  ]
  if (withTenant)
    columns.splice(2, 0, {
      id: 'tenant',
      header: t`Company`,
      cell: (e) => e.tenantName || '–',
      sort: (e) => e.tenantName,
    })
  return (
    <Table
      label={t`Audit log`}
      columns={columns}
      rows={entries}
      rowKey={(e) => e.id}
      more={more}
      quiet={!more}
      empty={
        <EmptyState icon={IconHistory} title={<Trans>Nothing is recorded yet</Trans>}>
          <Trans>Sign-ins of staff, suspensions, exports and acting as a company appear here.</Trans>
        </EmptyState>
      }
    />
  )
}
