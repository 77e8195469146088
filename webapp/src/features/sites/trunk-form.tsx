import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { cloudClient } from '@/api'
import { type Site, SiteService, type Trunk } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import {
  confirm,
  Facts,
  FieldRow,
  Form,
  FormActions,
  NumberField,
  SelectField,
  Submit,
  TagsField,
  TextField,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'
import { reloadSites } from './refresh'

const schema = rules.z.object({
  siteId: rules.z.string().min(1),
  name: rules.required(63),
  allowed: rules.someOf(),
  target: rules.optional(260),
  transport: rules.z.string(),
  takeover: rules.z.string(),
  maxCalls: rules.whole(0, 1_000_000),
})

export function TrunkForm({ trunk, sites, onDone }: { trunk?: Trunk; sites: Site[]; onDone: () => void }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const form = useZodForm(schema, {
    siteId: trunk?.siteId ?? sites[0]?.id ?? '',
    name: trunk?.name ?? '',
    allowed: trunk?.allowed ?? [],
    target: trunk?.target ?? '',
    transport: trunk?.transport || 'udp',
    takeover: trunk?.takeover || 'any-node',
    maxCalls: trunk?.maxCalls ?? 0,
  })
  if (trunk?.platform) return <Shown trunk={trunk} />
  const remove = (gone: Trunk) =>
    confirm({
      title: t`Delete the trunk “${gone.name}”?`,
      consequence: t`Calls from this carrier are refused from then on. Running calls go on.`,
      confirm: t`Delete trunk`,
      danger: true,
      run: async () => {
        await cloudClient(SiteService).deleteTrunk({ id: gone.id })
        await reloadSites(queries)
        onDone()
      },
    })
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        await cloudClient(SiteService).saveTrunk({ trunk: { ...values, id: trunk?.id ?? '' } })
        await reloadSites(queries)
        onDone()
      }}
    >
      <TextField name="name" label={<Trans>Name</Trans>} description={<Trans>Usually the carrier's name.</Trans>} data-autofocus />
      <SelectField
        name="siteId"
        label={<Trans>Site</Trans>}
        data={sites.map(({ id, name }) => ({ value: id, label: name }))}
        disabled={trunk !== undefined}
      />
      <TagsField
        name="allowed"
        label={<Trans>Calls are accepted from</Trans>}
        description={
          <Trans>Addresses or prefixes of the carrier, like 203.0.113.7 or 203.0.113.0/24. Everything else is refused.</Trans>
        }
      />
      <FieldRow>
        <TextField
          name="target"
          label={<Trans>Calls are sent to</Trans>}
          description={<Trans>host:port; empty = incoming only</Trans>}
          placeholder="sip.example.net:5060"
        />
        <SelectField
          name="transport"
          label={<Trans>Over</Trans>}
          description={<Trans>As the carrier has it</Trans>}
          data={[
            { value: 'udp', label: 'UDP' },
            { value: 'tcp', label: 'TCP' },
          ]}
        />
      </FieldRow>
      <SelectField
        name="takeover"
        label={<Trans>When a node dies, the carrier</Trans>}
        data={[
          { value: 'any-node', label: t`accepts the other nodes' addresses` },
          { value: 'floating-ip', label: t`knows one floating address only` },
        ]}
      />
      <NumberField
        name="maxCalls"
        label={<Trans>Calls at most</Trans>}
        description={<Trans>0 = as many as the site carries</Trans>}
        min={0}
      />
      <FormActions>
        <Submit />
        {trunk && (
          <Button variant="subtle" color="red" onClick={() => remove(trunk)}>
            <Trans>Delete</Trans>
          </Button>
        )}
      </FormActions>
    </Form>
  )
}

function Shown({ trunk }: { trunk: Trunk }) {
  const { t } = useLingui()
  return (
    <Facts
      of={[
        [t`Calls in from`, trunk.allowed.join(', ') || '–'],
        [t`Calls out to`, trunk.target || '–'],
        [t`Over`, trunk.transport.toUpperCase()],
        [t`Calls at most`, trunk.maxCalls || t`no limit`],
      ]}
    />
  )
}
