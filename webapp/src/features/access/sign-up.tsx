import { Trans, useLingui } from '@lingui/react/macro'
import { Anchor } from '@mantine/core'
import { Link, useNavigate } from '@tanstack/react-router'
import { cloudClient } from '@/api'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { paths } from '@/app/paths'
import { Form, LanguageSelect, PasswordField, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { AccessCard } from './card'

const schema = rules.z.object({
  company: rules.required(120),
  displayName: rules.required(120),
  email: rules.email(),
  password: rules.newPassword(),
})

export function SignUpPage() {
  const { t, i18n } = useLingui()
  const navigate = useNavigate()
  const form = useZodForm(schema, { company: '', displayName: '', email: '', password: '' })
  return (
    <AccessCard
      title={t`Create your contact center`}
      why={t`Five minutes from here to the first test call. No trunk and no hardware are needed to try it.`}
      foot={
        <Trans>
          You have an account?{' '}
          <Anchor component={Link} to={paths.signIn} inherit underline="always">
            Sign in
          </Anchor>
        </Trans>
      }
    >
      <Form
        form={form}
        onSubmit={async (values) => {
          const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone
          const { email } = await cloudClient(AccessService).signUp({ ...values, language: i18n.locale, timeZone })
          await navigate({ to: paths.confirm, search: { email: email || values.email } as never })
        }}
      >
        <TextField name="company" label={<Trans>Company</Trans>} autoComplete="organization" autoFocus size="md" />
        <TextField name="displayName" label={<Trans>Your name</Trans>} autoComplete="name" size="md" />
        <TextField name="email" type="email" label={<Trans>Work e-mail</Trans>} autoComplete="username" size="md" />
        <PasswordField
          name="password"
          label={<Trans>Password</Trans>}
          description={<Trans>At least 10 characters.</Trans>}
          autoComplete="new-password"
          size="md"
        />
        <LanguageSelect
          label={<Trans>Language</Trans>}
          description={<Trans>Of this page, of our mails and of the included prompts.</Trans>}
          size="md"
        />
        <Submit size="md" fullWidth>
          <Trans>Create account</Trans>
        </Submit>
      </Form>
    </AccessCard>
  )
}
