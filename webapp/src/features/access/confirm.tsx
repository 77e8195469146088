import { Trans, useLingui } from '@lingui/react/macro'
import { Anchor, Button } from '@mantine/core'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { acceptSession, cloudClient } from '@/api'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { paths } from '@/app/paths'
import { done, FaultNotice, Form, failed, Skeleton, Submit, TextField, useNow, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { AccessCard } from './card'

/** Confirms the address: by the link of the mail (?token=), or by its six digits (?email=). */
export function ConfirmPage() {
  const { token, email } = useSearch({ strict: false }) as { token?: string; email?: string }
  return token ? <ByLink token={String(token)} /> : <ByCode email={email ? String(email) : ''} />
}

function ByLink({ token }: { token: string }) {
  const { t } = useLingui()
  const navigate = useNavigate()
  const [error, setError] = useState<unknown>()
  const sent = useRef(false)
  useEffect(() => {
    if (sent.current) return
    sent.current = true
    cloudClient(AccessService)
      .confirmEmail({ token })
      .then((response) => {
        if (acceptSession(response)) void navigate({ to: paths.home, replace: true })
      }, setError)
  }, [token, navigate])
  return (
    <AccessCard title={t`Confirming your address`}>
      {error === undefined ? (
        <Skeleton rows={2} />
      ) : (
        <>
          <FaultNotice error={error} />
          <Button component={Link} to={paths.signIn} variant="default" size="md">
            <Trans>Go to the sign-in</Trans>
          </Button>
        </>
      )}
    </AccessCard>
  )
}

const schema = rules.z.object({ email: rules.email(), code: rules.required(12) })

function ByCode({ email }: { email: string }) {
  const { t } = useLingui()
  const navigate = useNavigate()
  const form = useZodForm(schema, { email, code: '' })
  return (
    <AccessCard
      title={t`Check your mail`}
      why={email ? t`We sent a code and a link to ${email}. Either will do.` : t`Enter the code from our mail.`}
      foot={
        <Anchor component={Link} to={paths.signUp} inherit>
          <Trans>Use another address</Trans>
        </Anchor>
      }
    >
      <Form
        form={form}
        onSubmit={async ({ email: address, code }) => {
          const response = await cloudClient(AccessService).confirmEmail({ email: address, code: code.replace(/\s/g, '') })
          if (acceptSession(response)) await navigate({ to: paths.home, replace: true })
        }}
      >
        {!email && <TextField name="email" type="email" label={<Trans>E-mail</Trans>} autoComplete="username" size="md" />}
        <TextField
          name="code"
          label={<Trans>Six digits</Trans>}
          inputMode="numeric"
          autoComplete="one-time-code"
          autoFocus
          size="md"
        />
        <Submit size="md" fullWidth>
          <Trans>Confirm</Trans>
        </Submit>
      </Form>
      {email && <Resend email={email} />}
    </AccessCard>
  )
}

const PAUSE_S = 30

function Resend({ email }: { email: string }) {
  const [sentAt, setSentAt] = useState(() => Date.now())
  const left = Math.ceil(PAUSE_S - (useNow(1000) - sentAt) / 1000)
  const { t } = useLingui()
  const resend = async () => {
    try {
      await cloudClient(AccessService).resendConfirmation({ email })
      setSentAt(Date.now())
      done(t`A new mail is on its way.`)
    } catch (err) {
      failed(err)
    }
  }
  return (
    <Button variant="subtle" size="sm" disabled={left > 0} onClick={() => void resend()}>
      {left > 0 ? <Trans>Send it again in {left} s</Trans> : <Trans>Send it again</Trans>}
    </Button>
  )
}
