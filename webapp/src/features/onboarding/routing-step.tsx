import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { paths } from '@/app/paths'
import { parseDocument } from '@/features/routing/document'
import { FlowOutline } from '@/features/routing/outline'
import { Box, Loaded, Row, Stack } from '@/ui'

/** The flow as it is, and the three places to change it. */
export function RoutingStep() {
  const { t } = useLingui()
  const flows = useQuery(RoutingService.method.listFlows, {})
  const queues = useQuery(RoutingService.method.listQueues, {})
  return (
    <Loaded query={flows}>
      {({ flows: [flow] }) => {
        const document = flow && parseDocument(flow.document)
        return (
          <Stack gap="wide">
            {document && (
              <Box>
                <FlowOutline document={document} queues={queues.data?.queues ?? []} />
              </Box>
            )}
            <Row>
              <Button component={Link} to={paths.flow}>
                {t`Change the flow`}
              </Button>
              <Button component={Link} to={paths.prompts} variant="default">
                <Trans>Record your own greeting</Trans>
              </Button>
              <Button component={Link} to={paths.queues} variant="default">
                <Trans>Queues</Trans>
              </Button>
            </Row>
          </Stack>
        )
      }}
    </Loaded>
  )
}
