import { useQuery } from '@connectrpc/connect-query'
import { Plural, Trans } from '@lingui/react/macro'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { InviteForm } from '@/features/members/invite'
import { Notice, RoleNames, Stack } from '@/ui'

export function AgentsStep() {
  const members = useQuery(AccessService.method.listMembers, { pageSize: 50 })
  const invitations = useQuery(AccessService.method.listInvitations, { pageSize: 50 })
  const waiting = invitations.data?.invitations.filter(({ status }) => status === 'pending') ?? []
  const count = members.data?.members.length ?? 0
  return (
    <Stack gap="wide">
      <InviteForm />
      {(count > 1 || waiting.length > 0) && (
        <Notice tone="ready" title={<Plural value={count} one="# person is here" other="# people are here" />}>
          {waiting.map(({ id, email, roles }) => (
            <div key={id}>
              <Trans>
                {email}, invited as <RoleNames roles={roles} />
              </Trans>
            </div>
          ))}
        </Notice>
      )}
    </Stack>
  )
}
