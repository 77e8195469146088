import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { signOut, useMe } from '@/api'
import { Page, Row, Section } from '@/ui'
import { Authenticator } from './authenticator'
import { EmailForm, PasswordForm, ProfileForm } from './forms'
import { Passkeys } from './passkeys'

/** The own account: it is global, a membership in each company hangs from it. */
export function AccountPage() {
  const { t } = useLingui()
  const me = useMe()
  return (
    <Page
      title={t`Your account`}
      why={t`Your name, how you sign in, and what protects it. The same in every company you work for.`}
      width="form"
    >
      <Section title={t`Profile`}>
        <ProfileForm me={me} />
      </Section>
      <Section title={t`E-mail`} why={t`You sign in with ${me.email}.`}>
        <EmailForm />
      </Section>
      <Section title={t`Password`} why={t`Changing it signs you out everywhere else.`}>
        <PasswordForm />
      </Section>
      <Section
        title={t`Passkeys`}
        why={t`Sign in with this computer's lock, your phone or a security key. Nothing to type, nothing to steal.`}
      >
        <Passkeys />
      </Section>
      <Section title={t`Authenticator app`} why={t`A six-digit code after the password.`}>
        <Authenticator me={me} />
      </Section>
      <Section title={t`Sessions`} why={t`Ends every session of this account, on every device.`}>
        <Row>
          <Button variant="default" onClick={() => void signOut(true)}>
            <Trans>Sign out everywhere</Trans>
          </Button>
        </Row>
      </Section>
    </Page>
  )
}
