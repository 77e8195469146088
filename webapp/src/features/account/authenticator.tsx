import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useEffect, useState } from 'react'
import { cloudClient, type MeResponse, updateMe } from '@/api'
import { AccessService, type BeginTotpResponse } from '@/api/gen/trunkline/access/v1/access_pb'
import {
  CopyField,
  Form,
  FormActions,
  failed,
  Notice,
  PasswordField,
  QrImage,
  Row,
  Stack,
  StatusBadge,
  Submit,
  TextField,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'

/** Off, being set up, showing the recovery codes once, on, or being removed. */
type Step = { name: 'rest' } | { name: 'scan'; begun: BeginTotpResponse } | { name: 'codes'; codes: string[] } | { name: 'remove' }

export function Authenticator({ me }: { me: MeResponse }) {
  const [step, setStep] = useState<Step>({ name: 'rest' })
  const [busy, setBusy] = useState(false)
  const rest = () => setStep({ name: 'rest' })
  const begin = async () => {
    setBusy(true)
    try {
      setStep({ name: 'scan', begun: await cloudClient(AccessService).beginTotp({}) })
    } catch (err) {
      failed(err)
    } finally {
      setBusy(false)
    }
  }
  switch (step.name) {
    case 'scan':
      return <Scan begun={step.begun} onDone={(codes) => setStep({ name: 'codes', codes })} onCancel={rest} />
    case 'codes':
      return <Codes codes={step.codes} onDone={rest} />
    case 'remove':
      return <Remove onDone={rest} />
  }
  if (!me.totpEnabled) {
    return (
      <Row>
        <Button variant="default" loading={busy} onClick={() => void begin()}>
          <Trans>Set up an authenticator app</Trans>
        </Button>
      </Row>
    )
  }
  const left = me.recoveryCodesLeft
  return (
    <Stack>
      <Row gap="wide">
        <StatusBadge tone="ready">
          <Trans>On</Trans>
        </StatusBadge>
        <Button variant="default" size="xs" onClick={() => void begin()} loading={busy}>
          <Trans>Set up again</Trans>
        </Button>
        <Button variant="subtle" color="red" size="xs" onClick={() => setStep({ name: 'remove' })}>
          <Trans>Remove</Trans>
        </Button>
      </Row>
      {left < 4 && (
        <Notice tone="warning" title={<Trans>Recovery codes left: {left}</Trans>}>
          <Trans>Setting up the app again gives you ten new ones.</Trans>
        </Notice>
      )}
    </Stack>
  )
}

/** The own account as the cloud knows it now. */
async function reload() {
  updateMe(await cloudClient(AccessService).me({}))
}

const code = rules.z.object({ code: rules.required(12) })

function Scan({ begun, onDone, onCancel }: { begun: BeginTotpResponse; onDone: (codes: string[]) => void; onCancel: () => void }) {
  const { t } = useLingui()
  const form = useZodForm(code, { code: '' })
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        const { recoveryCodes } = await cloudClient(AccessService).confirmTotp({ code: values.code.replace(/\s/g, '') })
        onDone(recoveryCodes)
      }}
    >
      <Row gap="loose">
        <QrImage png={begun.qrPng} alt={t`QR code for the authenticator app`} />
        <Stack gap="wide">
          <Trans>Scan this with the app, or type the key into it. Then enter the code it shows.</Trans>
          <CopyField label={t`Key`} value={begun.secret.replace(/(.{4})(?=.)/g, '$1 ')} />
        </Stack>
      </Row>
      <TextField name="code" label={<Trans>Code from the app</Trans>} inputMode="numeric" autoComplete="one-time-code" autoFocus />
      <FormActions>
        <Submit>
          <Trans>Turn on</Trans>
        </Submit>
        <Button variant="subtle" onClick={onCancel}>
          <Trans>Cancel</Trans>
        </Button>
      </FormActions>
    </Form>
  )
}

function Codes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  const { t } = useLingui()
  useEffect(() => {
    void reload().catch(() => undefined)
  }, [])
  return (
    <Stack gap="wide">
      <Notice tone="warning" title={<Trans>Keep these recovery codes where you find them without your phone.</Trans>}>
        <Trans>Each signs you in once. They are not shown again.</Trans>
      </Notice>
      <CopyField label={t`Recovery codes`} value={codes.join('\n')} />
      <Row>
        <Button onClick={onDone}>
          <Trans>I have kept them</Trans>
        </Button>
      </Row>
    </Stack>
  )
}

const proof = rules.z.object({ password: rules.password() })

function Remove({ onDone }: { onDone: () => void }) {
  const form = useZodForm(proof, { password: '' })
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        await cloudClient(AccessService).removeTotp(values)
        await reload()
        onDone()
      }}
    >
      <PasswordField
        name="password"
        label={<Trans>Your password</Trans>}
        description={<Trans>After this the password alone signs you in.</Trans>}
        autoComplete="current-password"
        autoFocus
      />
      <FormActions>
        <Submit color="red">
          <Trans>Remove the authenticator app</Trans>
        </Submit>
        <Button variant="subtle" onClick={onDone}>
          <Trans>Cancel</Trans>
        </Button>
      </FormActions>
    </Form>
  )
}
