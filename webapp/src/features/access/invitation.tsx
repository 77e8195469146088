import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Anchor, Button } from '@mantine/core'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { acceptSession, cloudClient, faultOf } from '@/api'
import { AccessService, type Invitation, type SessionResponse } from '@/api/gen/trunkline/access/v1/access_pb'
import { paths } from '@/app/paths'
import { FaultNotice, Form, PasswordField, RoleNames, Skeleton, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { AccessCard } from './card'
import { SecondFactor } from './second-factor'

/** From the mail's link: ?token=. Each state of an invitation has its own words. */
export function InvitationPage() {
  const { t } = useLingui()
  const { token = '' } = useSearch({ strict: false }) as { token?: string }
  const invitation = useQuery(AccessService.method.getInvitation, { token: String(token) }, { enabled: token !== '', retry: false })
  if (token === '') return <Ended title={t`This link is not complete`} why={t`Open it from the mail again.`} />
  if (invitation.data) return <Answer token={String(token)} invitation={invitation.data} />
  if (!invitation.error) {
    return (
      <AccessCard title={t`Your invitation`}>
        <Skeleton rows={3} />
      </AccessCard>
    )
  }
  const fault = faultOf(invitation.error)
  if (fault.kind === 'not_found')
    return (
      <Ended
        title={t`This invitation is not known`}
        why={t`The link may be cut off. Open it from the mail again, or ask for a new invitation.`}
      />
    )
  return (
    <AccessCard title={t`Your invitation`}>
      <FaultNotice fault={fault} />
      <Button variant="default" size="md" onClick={() => void invitation.refetch()}>
        <Trans>Try again</Trans>
      </Button>
    </AccessCard>
  )
}

function Answer({ token, invitation }: { token: string; invitation: Invitation }) {
  const { t } = useLingui()
  const { tenantName, status } = invitation
  if (status === 'accepted')
    return <Ended title={t`This invitation was accepted already`} why={t`Sign in to work for ${tenantName}.`} />
  if (status === 'expired')
    return <Ended title={t`This invitation has expired`} why={t`Ask an administrator of ${tenantName} to send a new one.`} />
  if (status === 'revoked')
    return <Ended title={t`This invitation was withdrawn`} why={t`Ask an administrator of ${tenantName} whether that was meant.`} />
  return <Accept token={token} invitation={invitation} />
}

const Ended = ({ title, why }: { title: string; why: string }) => (
  <AccessCard title={title} why={why}>
    <Button component={Link} to={paths.signIn} size="md" variant="default">
      <Trans>Go to the sign-in</Trans>
    </Button>
  </AccessCard>
)

const newcomer = rules.z.object({ displayName: rules.required(120), password: rules.newPassword() })
const known = rules.z.object({ displayName: rules.optional(120), password: rules.password() })

function Accept({ token, invitation }: { token: string; invitation: Invitation }) {
  const { t } = useLingui()
  const navigate = useNavigate()
  const [challenge, setChallenge] = useState('')
  const { tenantName, email, accountExists, roles } = invitation
  const form = useZodForm(accountExists ? known : newcomer, { displayName: '', password: '' })
  const take = async (response: SessionResponse) => {
    if (response.secondFactorChallenge) return setChallenge(response.secondFactorChallenge)
    if (acceptSession(response)) await navigate({ to: paths.home, replace: true })
  }
  if (challenge)
    return <SecondFactor challenge={challenge} onDone={(response) => void take(response)} onBack={() => setChallenge('')} />
  return (
    <AccessCard
      title={t`Join ${tenantName}`}
      why={
        <Trans>
          {email} is invited as <RoleNames roles={roles} />.
        </Trans>
      }
      foot={
        <Trans>
          Not you?{' '}
          <Anchor component={Link} to={paths.signIn} inherit underline="always">
            Sign in with another account
          </Anchor>
        </Trans>
      }
    >
      <Form form={form} onSubmit={async (values) => take(await cloudClient(AccessService).acceptInvitation({ token, ...values }))}>
        {!accountExists && (
          <TextField name="displayName" label={<Trans>Your name</Trans>} autoComplete="name" autoFocus size="md" />
        )}
        <PasswordField
          name="password"
          label={accountExists ? <Trans>Your password</Trans> : <Trans>Choose a password</Trans>}
          description={
            accountExists ? <Trans>You have an account with this address.</Trans> : <Trans>At least 10 characters.</Trans>
          }
          autoComplete={accountExists ? 'current-password' : 'new-password'}
          size="md"
        />
        <Submit size="md" fullWidth>
          <Trans>Join</Trans>
        </Submit>
      </Form>
    </AccessCard>
  )
}
