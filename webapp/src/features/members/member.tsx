import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { at, cloudClient, useMe } from '@/api'
import { AccessService, type Member } from '@/api/gen/trunkline/access/v1/access_pb'
import type { Queue } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import {
  confirm,
  done,
  ExactTime,
  Facts,
  Form,
  FormActions,
  Notice,
  RelativeTime,
  Row,
  Section,
  SidePanel,
  Submit,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'
import { RoleAndQueues } from './fields'
import { MemberStatus } from './list'
import { reloadPeople } from './refresh'

export function MemberPanel({ member, queues, onClose }: { member: Member | undefined; queues: Queue[]; onClose: () => void }) {
  return (
    <SidePanel
      opened={member !== undefined}
      onClose={onClose}
      title={member?.displayName || member?.email || ''}
      why={member?.email}
    >
      {member && <Detail key={member.id} member={member} queues={queues} />}
    </SidePanel>
  )
}

const schema = rules.z.object({ role: rules.z.string(), queueIds: rules.z.array(rules.z.string()) })

function Detail({ member, queues }: { member: Member; queues: Queue[] }) {
  const { t } = useLingui()
  const me = useMe()
  const queries = useQueryClient()
  const form = useZodForm(schema, { role: member.roles[0] ?? 'agent', queueIds: member.queueIds })
  const own = member.accountId === me.accountId
  return (
    <>
      <Facts
        of={[
          [t`Status`, <MemberStatus key="s" member={member} />],
          [t`Member since`, <ExactTime key="c" at={at(member.createdAt)} style="date" />],
          [t`Last seen`, <RelativeTime key="l" at={at(member.lastSeenAt)} />],
          [t`Second factor`, member.secondFactor ? t`On` : t`Off`],
        ]}
      />
      <Section title={t`Role and queues`}>
        <Form
          form={form}
          onSubmit={async ({ role, queueIds }) => {
            await cloudClient(AccessService).updateMember({ id: member.id, roles: [role], queueIds, disabled: member.disabled })
            await reloadPeople(queries)
            done(t`Saved. It applies on the floor within two seconds.`)
          }}
        >
          <RoleAndQueues queues={queues} />
          <FormActions>
            <Submit />
          </FormActions>
        </Form>
      </Section>
      <Section title={t`Access`}>
        {own ? (
          <Notice title={t`This is you.`}>
            <Trans>Another administrator has to change your access.</Trans>
          </Notice>
        ) : (
          <Access member={member} />
        )}
      </Section>
    </>
  )
}

function Access({ member }: { member: Member }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const name = member.displayName || member.email
  const save = async (disabled: boolean) => {
    await cloudClient(AccessService).updateMember({ id: member.id, roles: member.roles, queueIds: member.queueIds, disabled })
    await reloadPeople(queries)
  }
  const disable = () =>
    confirm({
      title: t`Disable ${name}?`,
      consequence: t`They are signed out within a minute and take no more calls here. Their records stay.`,
      confirm: t`Disable`,
      danger: true,
      run: () => save(true),
    })
  const enable = () =>
    confirm({
      title: t`Enable ${name} again?`,
      consequence: t`They can sign in with the same role and queues.`,
      confirm: t`Enable`,
      run: () => save(false),
    })
  const reset = () =>
    confirm({
      title: t`Remove the second factors of ${name}?`,
      consequence: t`For someone who lost their phone. Their app, passkeys and recovery codes stop working, the password alone signs in until they set up new ones. They get a mail, and it is recorded that you did this.`,
      confirm: t`Remove second factors`,
      danger: true,
      run: async () => {
        await cloudClient(AccessService).resetMemberFactors({ id: member.id })
        await reloadPeople(queries)
      },
    })
  return (
    <Row>
      {member.disabled ? (
        <Button variant="default" onClick={enable}>
          <Trans>Enable</Trans>
        </Button>
      ) : (
        <Button variant="default" onClick={disable}>
          <Trans>Disable</Trans>
        </Button>
      )}
      {member.secondFactor && (
        <Button variant="default" onClick={reset}>
          <Trans>Remove second factors</Trans>
        </Button>
      )}
    </Row>
  )
}
