import { useInfiniteQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconMail } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { at, cloudClient } from '@/api'
import { AccessService, type Invitation } from '@/api/gen/trunkline/access/v1/access_pb'
import { type Column, confirm, EmptyState, Loaded, RelativeTime, RoleNames, StatusBadge, Table, type Tone } from '@/ui'
import { reloadPeople } from './refresh'

export function Invitations({ onInvite }: { onInvite: () => void }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const invitations = useInfiniteQuery(
    AccessService.method.listInvitations,
    { pageToken: '', pageSize: 100 },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  )
  const columns: Column<Invitation>[] = useMemo(() => {
    const withdraw = ({ id, email }: Invitation) =>
      confirm({
        title: t`Withdraw the invitation?`,
        consequence: t`The link in the mail to ${email} stops working.`,
        confirm: t`Withdraw`,
        danger: true,
        run: async () => {
          await cloudClient(AccessService).revokeInvitation({ id })
          await reloadPeople(queries)
        },
      })
    return [
      { id: 'email', header: t`E-mail`, cell: (i) => i.email, sort: (i) => i.email },
      { id: 'roles', header: t`Role`, cell: (i) => <RoleNames roles={i.roles} />, sort: (i) => i.roles[0] },
      { id: 'status', header: t`Status`, cell: (i) => <InvitationStatus status={i.status} />, sort: (i) => i.status },
      { id: 'expires', header: t`Expires`, cell: (i) => <RelativeTime at={at(i.expiresAt)} />, sort: (i) => at(i.expiresAt) },
      {
        id: 'withdraw',
        header: '',
        align: 'end',
        cell: (i) =>
          i.status === 'pending' && (
            <Button
              size="xs"
              variant="subtle"
              color="red"
              onClick={() => withdraw(i)}
              aria-label={t`Withdraw the invitation to ${i.email}`}
            >
              <Trans>Withdraw</Trans>
            </Button>
          ),
      },
    ]
  }, [t, queries])
  const data = useMemo(() => invitations.data?.pages.flatMap((page) => page.invitations), [invitations.data])
  return (
    <Loaded query={{ ...invitations, data }}>
      {(rows) => (
        <Table
          label={t`Invitations`}
          columns={columns}
          rows={rows}
          rowKey={(i) => i.id}
          more={{
            hasMore: invitations.hasNextPage,
            loading: invitations.isFetchingNextPage,
            load: () => void invitations.fetchNextPage(),
          }}
          empty={
            <EmptyState
              icon={IconMail}
              title={<Trans>No invitation is open</Trans>}
              action={<Button onClick={onInvite}>{t`Invite`}</Button>}
            >
              <Trans>Who accepted is under Members.</Trans>
            </EmptyState>
          }
        />
      )}
    </Loaded>
  )
}

function InvitationStatus({ status }: { status: string }) {
  const { t } = useLingui()
  const looks: Record<string, [Tone, string]> = {
    pending: ['busy', t`Waiting`],
    accepted: ['ready', t`Accepted`],
    expired: ['off', t`Expired`],
    revoked: ['off', t`Withdrawn`],
  }
  const [tone, word] = looks[status] ?? ['off', status]
  return <StatusBadge tone={tone}>{word}</StatusBadge>
}
