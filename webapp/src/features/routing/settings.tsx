import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon, Button } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { cloudClient, may, refreshSession, useMe } from '@/api'
import { RoutingService, type Settings } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { localeNames } from '@/i18n'
import {
  done,
  FieldGrid,
  FieldRow,
  Form,
  FormActions,
  Loaded,
  Meta,
  NumberField,
  Page,
  Row,
  Section,
  SelectField,
  Stack,
  Submit,
  TextField,
  timeZones,
  useFieldList,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'
import { DiallingSettings } from './dialling'
import { reloadRouting } from './refresh'

const codes = rules.z.array(rules.z.object({ code: rules.z.string(), name: rules.required(60) }))
const schema = rules.z.object({
  company: rules.required(120),
  language: rules.z.string(),
  timeZone: rules.z.string(),
  serviceLevelS: rules.whole(1, 600),
  serviceLevelTargetPct: rules.whole(1, 100),
  shortAbandonS: rules.whole(0, 60),
  wrapUpCodes: codes,
  breakReasons: codes,
})

/** The company itself, its goal, and the words agents choose from. */
export function SettingsPage() {
  const { t } = useLingui()
  const me = useMe()
  const settings = useQuery(RoutingService.method.getSettings, {})
  return (
    <Page title={t`Settings`} why={t`Your company, its service goal, and the codes agents choose from.`} width="form">
      <Loaded query={settings}>{(data) => <SettingsForm settings={data} />}</Loaded>
      {may(me, 'dialling_manage') && <DiallingSettings />}
    </Page>
  )
}

// A field array keeps its own "id"; the code's own travels as "code".
const toForm = (list: Settings['wrapUpCodes']) => list.map(({ id, name }) => ({ code: id, name }))
const fromForm = (list: { code: string; name: string }[]) => list.map(({ code, name }) => ({ id: code, name }))

function SettingsForm({ settings }: { settings: Settings }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const form = useZodForm(schema, {
    company: settings.company,
    language: settings.language || 'en',
    timeZone: settings.timeZone || 'UTC',
    serviceLevelS: settings.serviceLevelS || 20,
    serviceLevelTargetPct: settings.serviceLevelTargetPct || 80,
    shortAbandonS: settings.shortAbandonS,
    wrapUpCodes: toForm(settings.wrapUpCodes),
    breakReasons: toForm(settings.breakReasons),
  })
  return (
    <Form
      form={form}
      onSubmit={async ({ wrapUpCodes, breakReasons, ...rest }) => {
        const saved = await cloudClient(RoutingService).saveSettings({
          settings: { ...rest, wrapUpCodes: fromForm(wrapUpCodes), breakReasons: fromForm(breakReasons) },
        })
        form.reset({ ...rest, wrapUpCodes: toForm(saved.wrapUpCodes), breakReasons: toForm(saved.breakReasons) })
        await reloadRouting(queries)
        // The company's name stands in the session.
        if (rest.company !== settings.company) void refreshSession()
        done(t`Saved. It applies on the floor within two seconds.`)
      }}
    >
      <Section title={t`Company`}>
        <TextField name="company" label={<Trans>Name</Trans>} autoComplete="organization" />
        <FieldRow>
          <SelectField
            name="language"
            label={<Trans>Language of prompts and mails</Trans>}
            data={Object.entries(localeNames).map(([value, label]) => ({ value, label }))}
          />
          <SelectField name="timeZone" label={<Trans>Time zone of reports</Trans>} data={timeZones()} searchable />
        </FieldRow>
      </Section>
      <Section
        title={t`Service level`}
        why={t`The share of calls that shall be answered in time. Wallboard and reports measure against it.`}
      >
        <FieldRow>
          <NumberField name="serviceLevelTargetPct" label={<Trans>Goal (percent of calls)</Trans>} min={1} max={100} />
          <NumberField name="serviceLevelS" label={<Trans>Answered within (seconds)</Trans>} min={1} max={600} />
          <NumberField name="shortAbandonS" label={<Trans>Not counted below (seconds)</Trans>} min={0} max={60} />
        </FieldRow>
        <Meta>
          <Trans>Callers who hang up sooner than the last figure count neither as answered nor as lost.</Trans>
        </Meta>
      </Section>
      <Section title={t`Wrap-up codes`} why={t`What a call was about, chosen after it.`}>
        <Codes name="wrapUpCodes" add={t`Add a code`} label={t`Wrap-up code`} />
      </Section>
      <Section title={t`Break reasons`} why={t`Why an agent is not ready.`}>
        <Codes name="breakReasons" add={t`Add a reason`} label={t`Break reason`} />
      </Section>
      <FormActions>
        <Submit disabled={!form.formState.isDirty} />
      </FormActions>
    </Form>
  )
}

function Codes({ name, add, label }: { name: 'wrapUpCodes' | 'breakReasons'; add: string; label: string }) {
  const { t } = useLingui()
  const { entries, append, remove } = useFieldList<{ code: string; name: string }>(name)
  return (
    <Stack>
      {entries.map((field, i) => (
        <FieldGrid key={field.id} columns="minmax(0, 320px) 28px">
          <TextField name={`${name}.${i}.name`} aria-label={`${label} ${i + 1}`} maxLength={60} />
          <ActionIcon aria-label={t`Remove ${label} ${i + 1}`} onClick={() => remove(i)}>
            <IconTrash size={16} aria-hidden />
          </ActionIcon>
        </FieldGrid>
      ))}
      <Row>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => append({ code: '', name: '' })}
        >
          {add}
        </Button>
      </Row>
    </Stack>
  )
}
