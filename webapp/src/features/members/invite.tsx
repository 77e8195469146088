import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { cloudClient } from '@/api'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { done, Form, FormActions, SidePanel, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { RoleAndQueues } from './fields'
import { reloadPeople } from './refresh'

const schema = rules.z.object({ email: rules.email(), role: rules.z.string(), queueIds: rules.z.array(rules.z.string()) })

/** Sends an invitation; stays open for the next one. */
export function InvitePanel({ opened, onClose, onInvited }: { opened: boolean; onClose: () => void; onInvited?: () => void }) {
  const { t } = useLingui()
  return (
    <SidePanel
      opened={opened}
      onClose={onClose}
      title={t`Invite someone`}
      why={t`They get a mail with a link that works for seven days.`}
    >
      <InviteForm onClose={onClose} onInvited={onInvited} />
    </SidePanel>
  )
}

export function InviteForm({ onClose, onInvited }: { onClose?: () => void; onInvited?: () => void }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const queues = useQuery(RoutingService.method.listQueues, {}).data?.queues ?? []
  const form = useZodForm(schema, { email: '', role: 'agent', queueIds: [] })
  return (
    <Form
      form={form}
      fields={{ roles: 'role' }}
      onSubmit={async ({ email, role, queueIds }) => {
        await cloudClient(AccessService).inviteMember({ email, roles: [role], queueIds })
        await reloadPeople(queries)
        onInvited?.()
        done(t`The invitation to ${email} is on its way.`)
        form.reset({ email: '', role, queueIds })
        form.setFocus('email')
      }}
    >
      <TextField name="email" type="email" label={<Trans>E-mail</Trans>} autoComplete="off" data-autofocus />
      <RoleAndQueues queues={queues} />
      <FormActions>
        <Submit>
          <Trans>Send invitation</Trans>
        </Submit>
        {onClose && (
          <Button variant="subtle" onClick={onClose}>
            <Trans>Done</Trans>
          </Button>
        )}
      </FormActions>
    </Form>
  )
}
