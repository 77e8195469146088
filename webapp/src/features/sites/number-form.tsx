import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { cloudClient } from '@/api'
import type { Flow } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { type PhoneNumber, type Site, SiteService, type Trunk } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { confirm, Form, FormActions, formatPhone, MultiSelectField, Notice, SelectField, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { reloadSites } from './refresh'

const schema = rules.z.object({
  e164: rules.phone(),
  flowId: rules.z.string(),
  trunkId: rules.z.string(),
  siteIds: rules.z.array(rules.z.string()),
})

interface NumberFormProps {
  number?: PhoneNumber
  /** Given by the platform: only the flow is the tenant's to choose. */
  platform: boolean
  trunks: Trunk[]
  sites: Site[]
  flows: Flow[]
  onDone: () => void
}

export function NumberForm({ number, platform, trunks, sites, flows, onDone }: NumberFormProps) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const form = useZodForm(schema, {
    e164: number ? formatPhone(number.e164) : '',
    flowId: number?.flowId ?? flows[0]?.id ?? '',
    trunkId: number?.trunkId ?? trunks[0]?.id ?? '',
    siteIds: number?.siteIds ?? (trunks[0] ? [trunks[0].siteId] : []),
  })
  const remove = (gone: PhoneNumber) =>
    confirm({
      title: t`Delete ${formatPhone(gone.e164)}?`,
      consequence: t`Calls to this number are refused from then on. Past calls stay in the history.`,
      confirm: t`Delete number`,
      danger: true,
      run: async () => {
        await cloudClient(SiteService).deleteNumber({ id: gone.id })
        await reloadSites(queries)
        onDone()
      },
    })
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        await cloudClient(SiteService).saveNumber({
          number: { ...values, e164: number?.e164 ?? values.e164, id: number?.id ?? '' },
        })
        await reloadSites(queries)
        onDone()
      }}
    >
      <TextField
        name="e164"
        type="tel"
        label={<Trans>Number</Trans>}
        description={number ? undefined : <Trans>With the country code, like +86 10 1234 5678.</Trans>}
        disabled={number !== undefined}
        data-autofocus
      />
      <SelectField
        name="flowId"
        label={<Trans>Callers are led by</Trans>}
        data={flows.map(({ id, name }) => ({ value: id, label: name || t`Main flow` }))}
        placeholder={t`The main flow`}
      />
      {platform ? (
        <Notice>
          <Trans>The platform gave you this number and connects it. You choose where it leads.</Trans>
        </Notice>
      ) : (
        <>
          <SelectField
            name="trunkId"
            label={<Trans>Arrives on</Trans>}
            data={trunks.map(({ id, name }) => ({ value: id, label: name }))}
          />
          <MultiSelectField
            name="siteIds"
            label={<Trans>Sites, in order</Trans>}
            description={<Trans>The first one that lives takes the call.</Trans>}
            data={sites.map(({ id, name }) => ({ value: id, label: name }))}
          />
        </>
      )}
      <FormActions>
        <Submit />
        {number && !platform && (
          <Button variant="subtle" color="red" onClick={() => remove(number)}>
            <Trans>Delete</Trans>
          </Button>
        )}
      </FormActions>
    </Form>
  )
}
