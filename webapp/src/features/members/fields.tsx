import { Trans, useLingui } from '@lingui/react/macro'
import { may, roleNames, useMe } from '@/api'
import type { Queue } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { Meta, MultiSelectField, roleWords, SelectField } from '@/ui'

/** One role (each includes those below it) and the queues to answer. Only an owner makes owners. */
export function RoleAndQueues({ queues }: { queues: Queue[] }) {
  const { i18n, t } = useLingui()
  const me = useMe()
  const offered = roleNames.filter((role) => role !== 'owner' || may(me, 'tenant_manage'))
  const explain = (role: string) => {
    const words = roleWords[role]
    return words && i18n._(words.may)
  }
  return (
    <>
      <SelectField
        name="role"
        label={<Trans>Role</Trans>}
        data={offered.map((role) => ({ value: role, label: roleWords[role] ? i18n._(roleWords[role].name) : role }))}
        renderOption={({ option }) => (
          <div>
            <div>{option.label}</div>
            <Meta>{explain(option.value)}</Meta>
          </div>
        )}
      />
      <MultiSelectField
        name="queueIds"
        label={<Trans>Queues</Trans>}
        description={<Trans>Calls of these queues are offered to them; of all queues when none is chosen.</Trans>}
        placeholder={queues.length === 0 ? t`No queue exists yet` : undefined}
        data={queues.map(({ id, name }) => ({ value: id, label: name }))}
        searchable
        clearable
      />
    </>
  )
}
