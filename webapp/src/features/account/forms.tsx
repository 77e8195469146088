import { Trans, useLingui } from '@lingui/react/macro'
import { useState } from 'react'
import { cloudClient, type MeResponse, updateMe } from '@/api'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { chooseLocale, type Locale, localeNames } from '@/i18n'
import {
  done,
  FieldRow,
  Form,
  FormActions,
  Notice,
  PasswordField,
  SelectField,
  Submit,
  TextField,
  timeZones,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'

const profile = rules.z.object({ displayName: rules.required(120), language: rules.z.string(), timeZone: rules.z.string() })

export function ProfileForm({ me }: { me: MeResponse }) {
  const { t } = useLingui()
  const form = useZodForm(profile, { displayName: me.displayName, language: me.language || 'en', timeZone: me.timeZone || 'UTC' })
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        updateMe(await cloudClient(AccessService).updateProfile(values))
        await chooseLocale(values.language as Locale)
        done(t`Saved.`)
      }}
    >
      <TextField
        name="displayName"
        label={<Trans>Name</Trans>}
        description={<Trans>Colleagues and supervisors see it.</Trans>}
        autoComplete="name"
      />
      <FieldRow>
        <SelectField
          name="language"
          label={<Trans>Language</Trans>}
          data={Object.entries(localeNames).map(([value, label]) => ({ value, label }))}
        />
        <SelectField name="timeZone" label={<Trans>Time zone</Trans>} data={timeZones()} searchable />
      </FieldRow>
      <FormActions>
        <Submit />
      </FormActions>
    </Form>
  )
}

const address = rules.z.object({ email: rules.email(), password: rules.password() })

export function EmailForm() {
  const [sentTo, setSentTo] = useState('')
  const form = useZodForm(address, { email: '', password: '' })
  if (sentTo) return <NewAddressCode email={sentTo} onDone={() => setSentTo('')} />
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        await cloudClient(AccessService).changeEmail(values)
        setSentTo(values.email)
      }}
    >
      <FieldRow>
        <TextField name="email" type="email" label={<Trans>New address</Trans>} autoComplete="email" />
        <PasswordField name="password" label={<Trans>Your password</Trans>} autoComplete="current-password" />
      </FieldRow>
      <FormActions>
        <Submit variant="default">
          <Trans>Change address</Trans>
        </Submit>
      </FormActions>
    </Form>
  )
}

const digits = rules.z.object({ code: rules.required(12) })

/** The mail to the new address has a link and a code; here the code is typed. */
function NewAddressCode({ email, onDone }: { email: string; onDone: () => void }) {
  const { t } = useLingui()
  const form = useZodForm(digits, { code: '' })
  return (
    <Form
      form={form}
      onSubmit={async ({ code }) => {
        const client = cloudClient(AccessService)
        await client.confirmEmailChange({ email, code: code.replace(/\s/g, '') })
        updateMe(await client.me({}))
        done(t`From now on you sign in with ${email}.`)
        onDone()
      }}
    >
      <Notice tone="busy" title={<Trans>Open the link we sent to {email}, or enter its code.</Trans>}>
        <Trans>Until then you go on signing in with the old address.</Trans>
      </Notice>
      <TextField name="code" label={<Trans>Six digits</Trans>} inputMode="numeric" autoComplete="one-time-code" />
      <FormActions>
        <Submit>
          <Trans>Confirm</Trans>
        </Submit>
      </FormActions>
    </Form>
  )
}

const secret = rules.z.object({ current: rules.password(), password: rules.newPassword() })

export function PasswordForm() {
  const { t } = useLingui()
  const form = useZodForm(secret, { current: '', password: '' })
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        await cloudClient(AccessService).changePassword(values)
        form.reset()
        done(t`The new password is set.`)
      }}
    >
      <FieldRow>
        <PasswordField name="current" label={<Trans>Current password</Trans>} autoComplete="current-password" />
        <PasswordField
          name="password"
          label={<Trans>New password</Trans>}
          description={<Trans>At least 10 characters.</Trans>}
          autoComplete="new-password"
          inputWrapperOrder={['label', 'input', 'description', 'error']}
        />
      </FieldRow>
      <FormActions>
        <Submit variant="default">
          <Trans>Change password</Trans>
        </Submit>
      </FormActions>
    </Form>
  )
}
