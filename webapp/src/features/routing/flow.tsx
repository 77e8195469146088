import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { IconRoute } from '@tabler/icons-react'
import { at } from '@/api'
import { type Flow, RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { EmptyState, Loaded, Meta, Notice, Page, RelativeTime, Stack } from '@/ui'
import { parseDocument, toPlain } from './document'
import { FlowForm } from './flow-form'
import { FlowOutline } from './outline'

/** The path of a call before an agent: greeting, menu, queue, and what happens when nobody answers. */
export function FlowPage() {
  const { t } = useLingui()
  const flows = useQuery(RoutingService.method.listFlows, {})
  const queues = useQuery(RoutingService.method.listQueues, {})
  const prompts = useQuery(RoutingService.method.listPrompts, {})
  const flow = flows.data?.flows[0]
  return (
    <Page
      title={t`Call flow`}
      why={t`What callers hear and choose before an agent answers. A published change applies to new calls within two seconds.`}
      status={flow?.publishedAt && <Published flow={flow} />}
    >
      <Loaded query={flows}>
        {({ flows: [first] }) => (
          <Loaded query={queues}>
            {({ queues: list }) => (
              <Loaded query={prompts}>
                {({ prompts: spoken }) =>
                  first ? (
                    <Edit key={first.publishedVersion} flow={first} queues={list} prompts={spoken} />
                  ) : (
                    <EmptyState icon={IconRoute} title={<Trans>There is no flow</Trans>}>
                      <Trans>A company starts with one; reload the page in a moment.</Trans>
                    </EmptyState>
                  )
                }
              </Loaded>
            )}
          </Loaded>
        )}
      </Loaded>
    </Page>
  )
}

const Published = ({ flow }: { flow: Flow }) => (
  <Meta>
    {flow.publishedBy ? (
      <Trans>
        Published <RelativeTime at={at(flow.publishedAt)} /> by {flow.publishedBy}
      </Trans>
    ) : (
      <Trans>
        Published <RelativeTime at={at(flow.publishedAt)} />
      </Trans>
    )}
  </Meta>
)

type EditProps = Parameters<typeof FlowForm>[0] extends infer P ? Omit<P, 'plain'> : never

function Edit(props: EditProps) {
  const document = parseDocument(props.flow.document)
  const plain = document && toPlain(document)
  if (plain) return <FlowForm {...(props as Parameters<typeof FlowForm>[0])} plain={plain} />
  return (
    <Stack gap="wide">
      <Notice tone="warning" title={<Trans>This flow has more steps than this form can show.</Trans>}>
        <Trans>It works as it is; below is what it does. Editing it here would lose steps.</Trans>
      </Notice>
      {document && <FlowOutline document={document} queues={props.queues} />}
    </Stack>
  )
}
