import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { FaultSchema } from '@/api/gen/trunkline/fault/v1/fault_pb'
import {
  agentStateLook,
  Box,
  Columns,
  callOutcomeLook,
  EmptyState,
  ErrorState,
  Forbidden,
  LiveLog,
  Notice,
  Outline,
  Phone,
  Row,
  Section,
  Skeleton,
  Stack,
  StatusBadge,
  Steps,
  siteStatusLook,
} from '@/ui'

const refused = new ConnectError('', Code.Unavailable, undefined, [
  {
    desc: FaultSchema,
    value: create(FaultSchema, { kind: 'unavailable', messageKey: 'fault.unavailable', reference: '7K3QF0Z9TA' }),
  },
])

export function States() {
  const { t, i18n } = useLingui()
  const looks = [
    ...['offline', 'not_ready', 'ready', 'reserved', 'ringing', 'talking', 'held', 'wrap_up'].map((state) => agentStateLook(state)),
    agentStateLook('not_ready', 'signed_in'),
    ...['answered', 'abandoned', 'abandoned_short', 'self_service', 'max_wait', 'failed'].map(callOutcomeLook),
    ...['healthy', 'degraded', 'down', 'waiting_for_nodes'].map(siteStatusLook),
  ]
  return (
    <Section title={t`States`} why={t`Icon, word and colour; the same everywhere.`}>
      <Row>
        {looks.map(({ tone, icon, word }) => (
          <StatusBadge key={word.id} tone={tone} icon={icon}>
            {i18n._(word)}
          </StatusBadge>
        ))}
      </Row>
      <Columns min={280}>
        <Notice tone="ready" title={t`Everything is set up.`} />
        <Notice tone="busy" title={t`Hamburg waits for its first node.`}>
          {t`Run the command on a Linux machine there.`}
        </Notice>
        <Notice tone="warning" title={t`Site mode: the cloud is away.`}>
          {t`Calls work. Customer data is 4 minutes old; 3 records wait.`}
        </Notice>
        <Notice tone="breach" title={t`The site did not take the call`}>
          {t`Check that a node is up and reachable from this computer.`}
        </Notice>
      </Columns>
      <Columns min={300}>
        <Box>
          <EmptyState title={t`No trunk yet`} action={<Button>{t`Add a trunk`}</Button>}>
            {t`Enter what your carrier gave you: where to send calls, and the addresses its calls come from.`}
          </EmptyState>
        </Box>
        <Box>
          <ErrorState error={refused} retry={() => undefined} />
        </Box>
        <Box>
          <Forbidden />
        </Box>
        <Box>
          <Skeleton rows={7} />
        </Box>
      </Columns>
      <Steps
        label={t`First steps`}
        steps={[
          { id: 'site', title: t`A site for your calls`, status: 'done' },
          { id: 'trunk', title: t`Trunk and number`, status: 'skipped' },
          { id: 'test_call', title: t`Call yourself`, status: 'open' },
        ]}
        chosen="test_call"
        onChoose={() => undefined}
        title={t`Call yourself`}
        why={t`Your browser calls your contact center, through the same path a customer takes.`}
      >
        <Phone
          tone="warning"
          title={t`Waiting in “Support”`}
          text={t`You are number 2. An agent has to be ready.`}
          since={start}
          onKey={() => undefined}
          onHangUp={() => undefined}
        />
      </Steps>
      <Columns min={360}>
        <LiveLog
          label={t`Join log`}
          empty=""
          lines={[
            { key: '1', at: start, who: 'n1', what: t`Name of the cloud`, text: 'DNS: cloud.example is 192.0.2.10', failed: false },
            {
              key: '2',
              at: start,
              who: 'n1',
              what: t`Reaching the cloud`,
              text: 'Cloud: https://cloud.example answers, version 0.1.0',
              failed: false,
            },
            {
              key: '3',
              at: start,
              who: 'n1',
              what: t`Clock`,
              text: 'This machine’s clock is 4.2s ahead of the cloud’s; at most 2s is allowed. Turn on time synchronisation.',
              failed: true,
            },
          ]}
        />
        <Box>
          <Outline
            label={t`Call flow`}
            items={[
              { key: 'g', mark: '1', text: t`Support`, children: [{ key: 'q', text: t`Wait in “Support” for an agent` }] },
              { key: 's', mark: '2', text: t`Sales`, children: [{ key: 'q', text: t`Wait in “Sales” for an agent` }] },
            ]}
          />
          <Stack>
            <Trans>Plain text between the pieces stands like this.</Trans>
          </Stack>
        </Box>
      </Columns>
    </Section>
  )
}

const start = new Date(Date.now() - 72_000)
