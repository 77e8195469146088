import { Trans, useLingui } from '@lingui/react/macro'
import { Anchor } from '@mantine/core'
import { useState } from 'react'
import { cloudClient } from '@/api'
import { AccessService, type SessionResponse } from '@/api/gen/trunkline/access/v1/access_pb'
import { Form, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { AccessCard } from './card'

const schema = rules.z.object({ code: rules.required(20) })

/** The code of the authenticator app, or one of the recovery codes. */
export function SecondFactor({
  challenge,
  onDone,
  onBack,
}: {
  challenge: string
  onDone: (response: SessionResponse) => void
  onBack: () => void
}) {
  const { t } = useLingui()
  const [recovery, setRecovery] = useState(false)
  const form = useZodForm(schema, { code: '' })
  const turn = () => {
    form.reset()
    setRecovery(!recovery)
  }
  return (
    <AccessCard
      title={t`Second step`}
      why={
        recovery
          ? t`Enter one of the recovery codes you kept. Each works once.`
          : t`Enter the six digits your authenticator app shows now.`
      }
      foot={
        <Anchor component="button" type="button" inherit onClick={onBack}>
          <Trans>Start again with another account</Trans>
        </Anchor>
      }
    >
      <Form
        form={form}
        onSubmit={async ({ code }) =>
          onDone(await cloudClient(AccessService).secondFactor({ challenge, code: code.replace(/\s/g, '') }))
        }
      >
        <TextField
          key={recovery ? 'recovery' : 'totp'}
          name="code"
          label={recovery ? t`Recovery code` : t`Code`}
          inputMode={recovery ? 'text' : 'numeric'}
          autoComplete="one-time-code"
          spellCheck={false}
          autoFocus
          size="md"
        />
        <Submit size="md" fullWidth>
          <Trans>Go on</Trans>
        </Submit>
        <Anchor component="button" type="button" size="sm" onClick={turn}>
          {recovery ? <Trans>Use the authenticator app</Trans> : <Trans>Use a recovery code</Trans>}
        </Anchor>
      </Form>
    </AccessCard>
  )
}
