import { Trans, useLingui } from '@lingui/react/macro'
import { Anchor } from '@mantine/core'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { acceptSession, cloudClient } from '@/api'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { paths } from '@/app/paths'
import { Form, Notice, PasswordField, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { AccessCard } from './card'

const ask = rules.z.object({ email: rules.email() })

/** Asks for the mail. The answer is the same whether the address is known or not. */
export function ForgotPage() {
  const { t } = useLingui()
  const [sentTo, setSentTo] = useState('')
  const form = useZodForm(ask, { email: '' })
  const back = (
    <Anchor component={Link} to={paths.signIn} inherit>
      <Trans>Back to the sign-in</Trans>
    </Anchor>
  )
  if (sentTo) {
    return (
      <AccessCard
        title={t`Check your mail`}
        why={t`If ${sentTo} has an account, a link to set a new password is on its way. It works for one hour.`}
        foot={back}
      />
    )
  }
  return (
    <AccessCard title={t`Set a new password`} why={t`Tell us your address and we send you a link.`} foot={back}>
      <Form
        form={form}
        onSubmit={async ({ email }) => {
          await cloudClient(AccessService).requestPasswordReset({ email })
          setSentTo(email)
        }}
      >
        <TextField name="email" type="email" label={<Trans>E-mail</Trans>} autoComplete="username" autoFocus size="md" />
        <Submit size="md" fullWidth>
          <Trans>Send the link</Trans>
        </Submit>
      </Form>
    </AccessCard>
  )
}

const set = rules.z.object({ password: rules.newPassword() })

/** From the mail's link: ?token=. Signs in at once; other sessions of the account end. */
export function ResetPage() {
  const { t } = useLingui()
  const navigate = useNavigate()
  const { token } = useSearch({ strict: false }) as { token?: string }
  const form = useZodForm(set, { password: '' })
  const foot = (
    <Anchor component={Link} to={paths.forgot} inherit>
      <Trans>Ask for a new link</Trans>
    </Anchor>
  )
  if (!token) {
    return (
      <AccessCard title={t`Set a new password`} foot={foot}>
        <Notice tone="warning" title={t`This link is not complete.`}>
          <Trans>Open it from the mail again, or ask for a new one.</Trans>
        </Notice>
      </AccessCard>
    )
  }
  return (
    <AccessCard
      title={t`Set a new password`}
      why={t`You are signed in with it right away, and signed out everywhere else.`}
      foot={foot}
    >
      <Form
        form={form}
        onSubmit={async ({ password }) => {
          const response = await cloudClient(AccessService).resetPassword({ token: String(token), password })
          acceptSession(response)
          // An account with a second factor still has to pass it.
          await navigate({ to: response.accessToken ? paths.home : paths.signIn, replace: true })
        }}
      >
        <PasswordField
          name="password"
          label={<Trans>New password</Trans>}
          description={<Trans>At least 10 characters.</Trans>}
          autoComplete="new-password"
          autoFocus
          size="md"
        />
        <Submit size="md" fullWidth>
          <Trans>Set password</Trans>
        </Submit>
      </Form>
    </AccessCard>
  )
}
