import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { cloudClient } from '@/api'
import { type Dialling, RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { done, Form, FormActions, Loaded, Meta, NumberField, Section, Submit, SwitchField, TagsField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'

const schema = rules.z.object({
  enabled: rules.z.boolean(),
  prefixes: rules.z.array(rules.z.string()),
  maxCalls: rules.whole(1, 1000),
})

/** What agents may call outside. It costs money, so it is off until somebody says what. */
export function DiallingSettings() {
  const { t } = useLingui()
  const dialling = useQuery(RoutingService.method.getDialling, {})
  return (
    <Section
      title={t`Calls to numbers outside`}
      why={t`Agents can pass callers on to these numbers. Emergency numbers can always be called.`}
    >
      <Loaded query={dialling}>{(data) => <DiallingForm dialling={data} />}</Loaded>
    </Section>
  )
}

function DiallingForm({ dialling }: { dialling: Dialling }) {
  const { t } = useLingui()
  const { sharedCalls } = dialling
  const form = useZodForm(schema, { enabled: dialling.enabled, prefixes: dialling.prefixes, maxCalls: dialling.maxCalls || 5 })
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        const saved = await cloudClient(RoutingService).saveDialling({ dialling: values })
        form.reset({ enabled: saved.enabled, prefixes: saved.prefixes, maxCalls: saved.maxCalls })
        done(t`Saved. It applies on the floor within two seconds.`)
      }}
    >
      <SwitchField name="enabled" label={<Trans>Numbers outside may be called</Trans>} />
      <TagsField
        name="prefixes"
        label={<Trans>Numbers that begin with</Trans>}
        description={
          <Trans>
            A country or an area, like +49 or +4930. Nothing else is called. Premium-rate numbers, and the Caribbean under +1, must
            be listed more closely than by their country.
          </Trans>
        }
      />
      <NumberField
        name="maxCalls"
        label={<Trans>Calls outside at a time</Trans>}
        description={<Trans>At each site</Trans>}
        min={1}
        max={1000}
      />
      <Meta>
        {sharedCalls > 0 ? (
          <Trans>Of them {sharedCalls} at a time may use the platform's lines.</Trans>
        ) : (
          <Trans>Calls go over trunks of your own. The platform's lines are open to you once the platform has allowed it.</Trans>
        )}
      </Meta>
      <FormActions>
        <Submit disabled={!form.formState.isDirty} />
      </FormActions>
    </Form>
  )
}
