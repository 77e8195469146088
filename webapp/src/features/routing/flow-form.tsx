import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQueryClient } from '@tanstack/react-query'
import { useWatch } from 'react-hook-form'
import { cloudClient } from '@/api'
import { type Flow, type Prompt, type Queue, RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { localeNames } from '@/i18n'
import {
  done,
  FieldRow,
  Form,
  FormActions,
  NumberField,
  Section,
  SelectField,
  SideBySide,
  Submit,
  SwitchField,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'
import { type PlainFlow, toDocument } from './document'
import { Findings } from './findings'
import { MenuOptions } from './menu-options'
import { FlowOutline } from './outline'
import { reloadRouting } from './refresh'
import { promptLabel } from './words'

const schema = rules.z.object({
  language: rules.z.string(),
  greeting: rules.z.string(),
  menu: rules.z.boolean(),
  menuPrompt: rules.z.string(),
  timeoutS: rules.whole(1, 60),
  retries: rules.whole(0, 5),
  options: rules.z.array(
    rules.z.object({ digit: rules.z.string().regex(/^[0-9*#]$/), label: rules.required(60), target: rules.z.string().min(1) }),
  ),
  otherwise: rules.z.string().min(1),
  nobody: rules.z.string(),
})

export interface FlowFormProps {
  flow: Flow
  plain: PlainFlow
  queues: Queue[]
  prompts: Prompt[]
}

export function FlowForm({ flow, plain, queues, prompts }: FlowFormProps) {
  const { t, i18n } = useLingui()
  const queries = useQueryClient()
  const form = useZodForm(schema, plain)
  const draft = { ...plain, ...useWatch({ control: form.control }) } as PlainFlow
  // Checked by the cloud while it is edited, so that publishing brings no surprise.
  const [document] = useDebouncedValue(JSON.stringify(toDocument(draft)), 400)
  const asked = { id: flow.id, name: flow.name, document }
  const lint = useQuery(RoutingService.method.lintFlow, asked, { placeholderData: keepPreviousData, staleTime: 60_000 })
  const findings = lint.data?.findings ?? flow.findings
  const spoken = [...new Set(prompts.map(({ name }) => name))]
    .filter((name) => !name.startsWith('number_'))
    .map((name) => ({ value: name, label: promptLabel(i18n, name) }))
  const silent = { value: '', label: t`Nothing` }
  const targets = [
    { group: t`Wait in a queue`, items: queues.map(({ id, name }) => ({ value: `queue:${id}`, label: name })) },
    { group: t`Say and hang up`, items: spoken.map(({ value, label }) => ({ value: `say:${value}`, label })) },
    { group: t`Otherwise`, items: [{ value: 'end', label: t`Hang up` }] },
  ]
  const publish = async (values: PlainFlow) => {
    const made = JSON.stringify(toDocument(values))
    await cloudClient(RoutingService).publishFlow({ id: flow.id, name: flow.name, document: made })
    await reloadRouting(queries)
    done(t`Published. New calls follow it within two seconds.`)
  }
  const { isDirty } = form.formState
  return (
    <SideBySide>
      <Form form={form} onSubmit={publish}>
        <Section title={t`First`}>
          <FieldRow>
            <SelectField name="greeting" label={<Trans>Say on answer</Trans>} data={[silent, ...spoken]} />
            <SelectField
              name="language"
              label={<Trans>Language of the prompts</Trans>}
              data={Object.entries(localeNames).map(([value, label]) => ({ value, label }))}
            />
          </FieldRow>
        </Section>
        <Section title={t`Menu`} why={t`Callers choose with a key; they may press it before the prompt ends.`}>
          <SwitchField name="menu" label={<Trans>Offer a menu</Trans>} />
          {draft.menu && (
            <>
              <SelectField name="menuPrompt" label={<Trans>Say</Trans>} data={spoken} />
              <MenuOptions targets={targets} />
              <FieldRow>
                <NumberField name="timeoutS" label={<Trans>Say it again after (seconds)</Trans>} min={1} max={60} />
                <NumberField name="retries" label={<Trans>Say it again at most</Trans>} min={0} max={5} />
              </FieldRow>
            </>
          )}
          <SelectField
            name="otherwise"
            label={draft.menu ? <Trans>Who presses nothing goes to</Trans> : <Trans>Everybody goes to</Trans>}
            data={targets}
            searchable
          />
        </Section>
        <Section title={t`When nobody can answer`} why={t`After the longest wait, or when the queue is full.`}>
          <SelectField name="nobody" label={<Trans>Say, then hang up</Trans>} data={[silent, ...spoken]} />
        </Section>
        <Findings findings={findings} />
        <FormActions>
          <Submit disabled={!isDirty || findings.some(({ severity }) => severity === 'error')}>
            <Trans>Publish</Trans>
          </Submit>
          {isDirty && (
            <Button variant="subtle" onClick={() => form.reset(plain)}>
              <Trans>Discard changes</Trans>
            </Button>
          )}
        </FormActions>
      </Form>
      <Section title={isDirty ? t`What callers will go through` : t`What callers go through`}>
        <FlowOutline document={toDocument(draft)} queues={queues} />
      </Section>
    </SideBySide>
  )
}
