import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconUserShield } from '@tabler/icons-react'
import { useNavigate } from '@tanstack/react-router'
import { acceptSession, cloudClient } from '@/api'
import { ConsoleService, type TenantSummary } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { type Path, paths } from '@/app/paths'
import { Form, FormActions, Notice, SelectField, SidePanel, Submit, TextAreaField, useAddress, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'

const schema = rules.z.object({ reason: rules.reason(), minutes: rules.z.string() })

/** The address of the company's page on which acting leads to its calls of today. */
export const toCalls = { act: 'calls' }

/** Works as the company for a while: with a reason, a banner, and an end. */
export function ActAs({ tenant }: { tenant: TenantSummary }) {
  const { t } = useLingui()
  const [{ act }, setAddress] = useAddress()
  return (
    <>
      <Button
        leftSection={<IconUserShield size={16} aria-hidden />}
        disabled={tenant.status === 'deleting'}
        onClick={() => setAddress({ act: 'home' })}
      >
        <Trans>Act as this company</Trans>
      </Button>
      <SidePanel opened={act !== undefined} onClose={() => setAddress({ act: undefined })} title={t`Act as ${tenant.name}`}>
        <ActAsForm tenant={tenant} to={act === toCalls.act ? paths.calls : paths.home} />
      </SidePanel>
    </>
  )
}

function ActAsForm({ tenant, to }: { tenant: TenantSummary; to: Path }) {
  const { t } = useLingui()
  const navigate = useNavigate()
  const form = useZodForm(schema, { reason: '', minutes: '30' })
  return (
    <Form
      form={form}
      onSubmit={async ({ reason, minutes }) => {
        acceptSession(await cloudClient(ConsoleService).actAs({ id: tenant.id, reason, minutes: Number(minutes) }))
        await navigate({ to })
      }}
    >
      <Notice tone="warning" title={<Trans>You will see this company's data.</Trans>}>
        <Trans>The reason is kept in its audit log and shown in a banner for as long as it lasts. It ends by itself.</Trans>
      </Notice>
      <TextAreaField
        name="reason"
        label={<Trans>Reason</Trans>}
        description={<Trans>For example the ticket you are working on.</Trans>}
        maxLength={500}
        data-autofocus
      />
      <SelectField
        name="minutes"
        label={<Trans>Duration</Trans>}
        data={['5', '15', '30', '60'].map((value) => ({ value, label: t`${value} minutes` }))}
      />
      <FormActions>
        <Submit>
          <Trans>Act as this company</Trans>
        </Submit>
      </FormActions>
    </Form>
  )
}
