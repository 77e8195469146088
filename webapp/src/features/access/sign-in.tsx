import { Trans, useLingui } from '@lingui/react/macro'
import { Anchor, Button } from '@mantine/core'
import { IconFingerprint } from '@tabler/icons-react'
import { Link, Navigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { acceptSession, cloudClient, useSession } from '@/api'
import { AccessService, type SessionResponse } from '@/api/gen/trunkline/access/v1/access_pb'
import { passkeysWork, presentPasskey, wasCancelled } from '@/api/passkey'
import { paths, safeNext } from '@/app/paths'
import { FaultNotice, Form, PasswordField, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { AccessCard, Or } from './card'
import { SecondFactor } from './second-factor'

const schema = rules.z.object({ email: rules.email(), password: rules.password() })

export function SignInPage() {
  const { t } = useLingui()
  const { next } = useSearch({ strict: false }) as { next?: string }
  const session = useSession()
  const [challenge, setChallenge] = useState('')
  const form = useZodForm(schema, { email: '', password: '' })
  if (session.status === 'signed_in') return <Navigate to={safeNext(next)} replace />

  const take = (response: SessionResponse) => {
    if (response.secondFactorChallenge) setChallenge(response.secondFactorChallenge)
    else acceptSession(response)
  }
  if (challenge) return <SecondFactor challenge={challenge} onDone={take} onBack={() => setChallenge('')} />
  return (
    <AccessCard
      title={t`Sign in`}
      foot={
        <Trans>
          New here?{' '}
          <Anchor component={Link} to={paths.signUp} inherit underline="always">
            Create an account for your company
          </Anchor>
        </Trans>
      }
    >
      {passkeysWork() && (
        <>
          <PasskeyButton onDone={take} />
          <Or>
            <Trans>or with your password</Trans>
          </Or>
        </>
      )}
      <Form form={form} onSubmit={async (values) => take(await cloudClient(AccessService).signIn(values))}>
        <TextField name="email" type="email" label={<Trans>E-mail</Trans>} autoComplete="username" autoFocus size="md" />
        <PasswordField name="password" label={<Trans>Password</Trans>} autoComplete="current-password" size="md" />
        <Submit size="md" fullWidth>
          <Trans>Sign in</Trans>
        </Submit>
        <Anchor component={Link} to={paths.forgot} size="sm" ta="center">
          <Trans>Forgot your password?</Trans>
        </Anchor>
      </Form>
    </AccessCard>
  )
}

function PasskeyButton({ onDone }: { onDone: (response: SessionResponse) => void }) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const present = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const client = cloudClient(AccessService)
      const { ceremony, optionsJson } = await client.beginPasskeySignIn({})
      onDone(await client.finishPasskeySignIn({ ceremony, responseJson: await presentPasskey(optionsJson) }))
    } catch (err) {
      if (!wasCancelled(err)) setError(err)
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      <Button
        size="md"
        variant="default"
        fullWidth
        leftSection={<IconFingerprint size={18} aria-hidden />}
        loading={busy}
        onClick={() => void present()}
      >
        <Trans>Sign in with a passkey</Trans>
      </Button>
      {error !== undefined && <FaultNotice error={error} />}
    </>
  )
}
