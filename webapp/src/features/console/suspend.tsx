import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconPlayerPause } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { cloudClient } from '@/api'
import { ConsoleService, type TenantSummary } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { Form, FormActions, Notice, SelectField, SidePanel, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { reloadConsole } from './refresh'

/** Closes a company, at once or after a grace period. */
export function Suspend({ tenant }: { tenant: TenantSummary }) {
  const { t } = useLingui()
  const [opened, setOpened] = useState(false)
  const { name } = tenant
  return (
    <>
      <Button variant="default" leftSection={<IconPlayerPause size={16} aria-hidden />} onClick={() => setOpened(true)}>
        <Trans>Suspend</Trans>
      </Button>
      <SidePanel opened={opened} onClose={() => setOpened(false)} title={t`Suspend ${name}?`}>
        <SuspendForm tenant={tenant} onDone={() => setOpened(false)} />
      </SidePanel>
    </>
  )
}

const schema = rules.z.object({ reason: rules.reason(), grace: rules.z.string() })

export function SuspendForm({ tenant, onDone }: { tenant: TenantSummary; onDone: () => void }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const form = useZodForm(schema, { reason: '', grace: '0' })
  const later = form.watch('grace') !== '0'
  // Seconds; the service allows a week.
  const graces = [
    { value: '0', label: t`None: suspend now` },
    { value: '3600', label: t`1 hour` },
    { value: '86400', label: t`1 day` },
    { value: '604800', label: t`7 days` },
  ]
  return (
    <Form
      form={form}
      onSubmit={async ({ reason, grace }) => {
        await cloudClient(ConsoleService).suspendTenant({ id: tenant.id, reason, graceS: Number(grace) })
        await reloadConsole(queries)
        onDone()
      }}
    >
      <SelectField name="grace" label={<Trans>Grace period</Trans>} data={graces} />
      {later ? (
        <Notice tone="warning" title={<Trans>Nothing changes for callers until the grace period is over.</Trans>}>
          <Trans>
            Its people can work until then, and Resume takes the suspension back. After it, new callers hear that the number is out
            of service and the call ends; its people are signed out within a minute; running calls go on.
          </Trans>
        </Notice>
      ) : (
        <Notice tone="warning" title={<Trans>New callers hear that the number is out of service, and the call ends.</Trans>}>
          <Trans>Its people are signed out within a minute; running calls go on.</Trans>
        </Notice>
      )}
      <TextField name="reason" label={<Trans>Reason</Trans>} maxLength={500} data-autofocus />
      <FormActions>
        <Submit>
          <Trans>Suspend</Trans>
        </Submit>
      </FormActions>
    </Form>
  )
}
