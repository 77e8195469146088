import { useQuery } from '@connectrpc/connect-query'
import { i18n } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconPlus, IconStack2 } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { cloudClient } from '@/api'
import { type Queue, RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import {
  type Column,
  Duration,
  EmptyState,
  FieldRow,
  Form,
  FormActions,
  Loaded,
  NumberField,
  Page,
  SidePanel,
  Submit,
  Table,
  TextField,
  useAddress,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'
import { reloadRouting } from './refresh'

const NEW = 'new'

/** Where callers wait, and how long each step may take. */
export function QueuesPage() {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const queues = useQuery(RoutingService.method.listQueues, {})
  const columns: Column<Queue>[] = useMemo(() => {
    const seconds = (of: (q: Queue) => number) => (q: Queue) => (of(q) ? <Duration ms={of(q) * 1000} /> : '–')
    return [
      { id: 'name', header: t`Queue`, cell: (q) => q.name, sort: (q) => q.name },
      { id: 'members', header: t`Agents`, align: 'end', cell: (q) => q.members, sort: (q) => q.members },
      { id: 'offer', header: t`Rings for`, align: 'end', cell: seconds((q) => q.offerTimeoutS), sort: (q) => q.offerTimeoutS },
      { id: 'wrap', header: t`Wrap-up`, align: 'end', cell: seconds((q) => q.wrapUpS), sort: (q) => q.wrapUpS },
      { id: 'wait', header: t`Longest wait`, align: 'end', cell: seconds((q) => q.maxWaitS), sort: (q) => q.maxWaitS },
      {
        id: 'waiting',
        header: t`Waiting at most`,
        align: 'end',
        cell: (q) => q.maxWaiting || t`no limit`,
        sort: (q) => q.maxWaiting,
      },
    ]
  }, [t])
  const add = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setAddress({ queue: NEW })}>
      <Trans>Add a queue</Trans>
    </Button>
  )
  const close = () => setAddress({ queue: undefined })
  const open = queues.data?.queues.find(({ id }) => id === address.queue)
  const shown = address.queue === NEW || open !== undefined
  return (
    <Page title={t`Queues`} why={t`Where callers wait for an agent. Who answers which queue is set under Members.`} action={add}>
      <Loaded query={queues}>
        {(data) => (
          <Table
            label={t`Queues`}
            columns={columns}
            rows={data.queues}
            rowKey={(q) => q.id}
            sortBy={{ id: 'name' }}
            onOpen={(q) => setAddress({ queue: q.id })}
            selected={address.queue}
            empty={
              <EmptyState icon={IconStack2} title={<Trans>No queue yet</Trans>} action={add}>
                <Trans>The call flow ends in a queue; without one nobody can answer.</Trans>
              </EmptyState>
            }
          />
        )}
      </Loaded>
      <SidePanel
        opened={shown}
        onClose={close}
        title={open?.name ?? t`New queue`}
        why={t`Changes apply on the floor within two seconds.`}
      >
        {shown && <QueueForm key={open?.id ?? NEW} queue={open} onDone={close} />}
      </SidePanel>
    </Page>
  )
}

const schema = rules.z.object({
  name: rules.required(80),
  offerTimeoutS: rules.whole(5, 120),
  wrapUpS: rules.whole(0, 3600),
  maxWaitS: rules.whole(0, 86_400),
  maxWaiting: rules.whole(0, 100_000),
  positionEveryS: rules.whole(0, 600).refine((s) => s === 0 || s >= 10, { error: () => i18n._(msg`0, or at least 10.`) }),
})

export function QueueForm({ queue, onDone }: { queue?: Queue; onDone: () => void }) {
  const queries = useQueryClient()
  const form = useZodForm(schema, {
    name: queue?.name ?? '',
    offerTimeoutS: queue?.offerTimeoutS || 20,
    wrapUpS: queue?.wrapUpS ?? 30,
    maxWaitS: queue?.maxWaitS ?? 600,
    maxWaiting: queue?.maxWaiting ?? 0,
    positionEveryS: queue?.positionEveryS ?? 45,
  })
  return (
    <Form
      form={form}
      onSubmit={async (values) => {
        await cloudClient(RoutingService).saveQueue({ queue: { ...values, id: queue?.id ?? '' } })
        await reloadRouting(queries)
        onDone()
      }}
    >
      <TextField
        name="name"
        label={<Trans>Name</Trans>}
        description={<Trans>Agents see it with each call.</Trans>}
        data-autofocus
      />
      <FieldRow>
        <NumberField
          name="offerTimeoutS"
          label={<Trans>Rings for (seconds)</Trans>}
          description={<Trans>Then the next agent is asked.</Trans>}
          min={5}
          max={120}
        />
        <NumberField
          name="wrapUpS"
          label={<Trans>Wrap-up (seconds)</Trans>}
          description={<Trans>0 = ready again at once.</Trans>}
          min={0}
          max={3600}
        />
      </FieldRow>
      <FieldRow>
        <NumberField
          name="maxWaitS"
          label={<Trans>Longest wait (seconds)</Trans>}
          description={<Trans>Then the flow goes on. 0 = no end.</Trans>}
          min={0}
        />
        <NumberField
          name="maxWaiting"
          label={<Trans>Waiting at most</Trans>}
          description={<Trans>More callers skip the queue. 0 = no limit.</Trans>}
          min={0}
        />
      </FieldRow>
      <NumberField
        name="positionEveryS"
        label={<Trans>Say the position every (seconds)</Trans>}
        description={<Trans>0 = never; callers hear music only.</Trans>}
        min={0}
        max={600}
      />
      <FormActions>
        <Submit />
      </FormActions>
    </Form>
  )
}
