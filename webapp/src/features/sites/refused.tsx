import { Trans, useLingui } from '@lingui/react/macro'
import { IconShieldCheck } from '@tabler/icons-react'
import { useMemo } from 'react'
import { at } from '@/api'
import type { RefusedInvite } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { type Column, EmptyState, Meta, PhoneNumber, RelativeTime, Stack, Table } from '@/ui'
import { refusals } from './words'

/** Calls the site did not take, the reason in words and what helps. The first place to look when a trunk "does not work". */
export function RefusedCalls({ refused }: { refused: RefusedInvite[] }) {
  const { t, i18n } = useLingui()
  const columns: Column<RefusedInvite>[] = useMemo(
    () => [
      { id: 'at', header: t`When`, cell: (r) => <RelativeTime at={at(r.at)} />, sort: (r) => at(r.at) },
      {
        id: 'reason',
        header: t`Why`,
        cell: (r) => {
          const words = refusals[r.reason] ?? refusals.other
          return (
            <Stack gap="tight">
              {words && i18n._(words.reason)}
              <Meta>{words && i18n._(words.help)}</Meta>
            </Stack>
          )
        },
        sort: (r) => r.reason,
      },
      { id: 'source', header: t`From address`, cell: (r) => r.source, sort: (r) => r.source },
      { id: 'caller', header: t`Caller`, cell: (r) => <PhoneNumber e164={r.caller} /> },
      { id: 'called', header: t`Called`, cell: (r) => (r.called ? <PhoneNumber e164={r.called} /> : '–') },
      { id: 'status', header: t`SIP answer`, align: 'end', cell: (r) => r.status || '–', sort: (r) => r.status },
      { id: 'node', header: t`Node`, cell: (r) => r.node, sort: (r) => r.node },
    ],
    [t, i18n],
  )
  return (
    <Table
      label={t`Refused calls`}
      columns={columns}
      rows={refused}
      rowKey={(r) => `${at(r.at)?.toISOString()}/${r.node}/${r.source}/${r.called}`}
      sortBy={{ id: 'at', desc: true }}
      maxHeight={560}
      empty={
        <EmptyState icon={IconShieldCheck} title={<Trans>No call was refused</Trans>}>
          <Trans>
            When a call does not arrive and is not listed here either, it never reached this site: look at the carrier's side or the
            firewall.
          </Trans>
        </EmptyState>
      }
    />
  )
}
