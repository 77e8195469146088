import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useState } from 'react'
import {
  CheckboxField,
  Choices,
  done,
  FieldRow,
  Form,
  FormActions,
  MultiSelectField,
  NumberField,
  PasswordField,
  Section,
  SelectField,
  SideBySide,
  Stack,
  Submit,
  SwitchField,
  TagsField,
  TextAreaField,
  TextField,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'

const schema = rules.z.object({
  name: rules.required(40),
  email: rules.email(),
  password: rules.newPassword(),
  number: rules.phone(),
  role: rules.z.string(),
  queues: rules.z.array(rules.z.string()),
  seconds: rules.whole(5, 120),
  allowed: rules.someOf(),
  note: rules.optional(200),
  on: rules.z.boolean(),
  agreed: rules.z.boolean(),
})

export function Forms() {
  const { t } = useLingui()
  const [kind, setKind] = useState('hosted')
  const form = useZodForm(schema, {
    name: '',
    email: 'not an address',
    password: '',
    number: '',
    role: 'agent',
    queues: ['s'],
    seconds: 20,
    allowed: ['203.0.113.7'],
    note: '',
    on: true,
    agreed: true,
  })
  return (
    <Section title={t`Forms`} why={t`Checked when sent, then as one types; the server's answer lands at the field it is about.`}>
      <SideBySide>
        <Form form={form} onSubmit={() => done(t`Saved.`)}>
          <FieldRow>
            <TextField name="name" label={t`Name`} description={t`Colleagues and supervisors see it.`} />
            <TextField name="email" label={t`E-mail`} description={t`They get a mail.`} />
          </FieldRow>
          <FieldRow>
            <PasswordField name="password" label={t`Password`} />
            <TextField name="number" type="tel" label={t`Number`} placeholder="+86 10 1234 5678" />
          </FieldRow>
          <FieldRow>
            <SelectField name="role" label={t`Role`} data={[{ value: 'agent', label: t`Agent` }]} />
            <NumberField name="seconds" label={t`Rings for (seconds)`} />
          </FieldRow>
          <MultiSelectField name="queues" label={t`Queues`} data={[{ value: 's', label: t`Support` }]} />
          <TagsField name="allowed" label={t`Calls are accepted from`} />
          <TextAreaField name="note" label={t`Note`} />
          <SwitchField name="on" label={t`Offer a menu`} />
          <CheckboxField name="agreed" label={t`Only this queue`} />
          <FormActions>
            <Submit />
            <Button variant="default">
              <Trans>Cancel</Trans>
            </Button>
            <Button variant="subtle" color="red">
              <Trans>Delete</Trans>
            </Button>
            <Button disabled>{t`Publish`}</Button>
          </FormActions>
        </Form>
        <Stack gap="wide">
          <Choices
            label={t`Where calls run`}
            value={kind}
            onChange={setKind}
            choices={[
              { value: 'hosted', title: t`Hosted site`, text: t`Nodes we run. Ready at once; the quickest way to a first call.` },
              { value: 'own', title: t`Your own nodes`, text: t`One, three or five Linux machines at your place.` },
            ]}
          />
          <Button size="md">{t`Sign in`}</Button>
          <Button size="md" variant="default">{t`Sign in with a passkey`}</Button>
        </Stack>
      </SideBySide>
    </Section>
  )
}
