import { useInfiniteQuery, useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconUsers } from '@tabler/icons-react'
import { useMemo } from 'react'
import { at } from '@/api'
import { AccessService, type Member } from '@/api/gen/trunkline/access/v1/access_pb'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { type Column, EmptyState, Loaded, RelativeTime, RoleNames, StatusBadge, Table, useAddress } from '@/ui'
import { MemberPanel } from './member'

export function MemberList({ search, onInvite }: { search: string; onInvite: () => void }) {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const members = useInfiniteQuery(
    AccessService.method.listMembers,
    { search, pageToken: '', pageSize: 100 },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  )
  const queues = useQuery(RoutingService.method.listQueues, {})
  const queueNames = useMemo(() => new Map(queues.data?.queues.map(({ id, name }) => [id, name])), [queues.data])
  const columns: Column<Member>[] = useMemo(
    () => [
      { id: 'name', header: t`Name`, cell: (m) => m.displayName || m.email, sort: (m) => m.displayName || m.email },
      { id: 'email', header: t`E-mail`, cell: (m) => m.email, sort: (m) => m.email },
      { id: 'roles', header: t`Role`, cell: (m) => <RoleNames roles={m.roles} />, sort: (m) => m.roles[0] },
      {
        id: 'queues',
        header: t`Queues`,
        cell: (m) => m.queueIds.map((id) => queueNames.get(id) ?? '…').join(', ') || t`All queues`,
      },
      { id: 'state', header: t`Status`, cell: (m) => <MemberStatus member={m} />, sort: (m) => Number(m.disabled) },
      {
        id: 'seen',
        header: t`Last seen`,
        align: 'end',
        cell: (m) => <RelativeTime at={at(m.lastSeenAt)} />,
        sort: (m) => at(m.lastSeenAt),
      },
    ],
    [t, queueNames],
  )
  const data = useMemo(() => members.data?.pages.flatMap((page) => page.members), [members.data])
  const open = data?.find(({ id }) => id === address.member)
  return (
    <Loaded query={{ ...members, data }}>
      {(rows) => (
        <>
          <Table
            label={t`Members`}
            columns={columns}
            rows={rows}
            rowKey={(m) => m.id}
            onOpen={(m) => setAddress({ member: m.id })}
            selected={address.member}
            sortBy={{ id: 'name' }}
            more={{ hasMore: members.hasNextPage, loading: members.isFetchingNextPage, load: () => void members.fetchNextPage() }}
            empty={
              search ? (
                <EmptyState icon={IconUsers} title={<Trans>Nobody matches “{search}”</Trans>}>
                  <Trans>Names and e-mail addresses are searched.</Trans>
                </EmptyState>
              ) : (
                <EmptyState
                  icon={IconUsers}
                  title={<Trans>You are alone here</Trans>}
                  action={<Button onClick={onInvite}>{t`Invite`}</Button>}
                >
                  <Trans>Invite the people who answer calls.</Trans>
                </EmptyState>
              )
            }
          />
          <MemberPanel member={open} queues={queues.data?.queues ?? []} onClose={() => setAddress({ member: undefined })} />
        </>
      )}
    </Loaded>
  )
}

export const MemberStatus = ({ member }: { member: Member }) =>
  member.disabled ? (
    <StatusBadge tone="off">
      <Trans>Disabled</Trans>
    </StatusBadge>
  ) : (
    <StatusBadge tone="ready" plain>
      <Trans>Active</Trans>
    </StatusBadge>
  )
