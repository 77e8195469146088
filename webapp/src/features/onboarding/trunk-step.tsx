import { useQuery } from '@connectrpc/connect-query'
import { Trans } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import { Loaded, Notice, PhoneNumber, Row, Stack } from '@/ui'

/** What there is, and the way to where it is entered. */
export function TrunkStep() {
  const trunks = useQuery(SiteService.method.listTrunks, {})
  const numbers = useQuery(SiteService.method.listNumbers, { pageSize: 20 })
  return (
    <Loaded query={trunks}>
      {({ trunks: lines }) => (
        <Loaded query={numbers}>
          {({ numbers: list }) => (
            <Stack gap="wide">
              {list.length > 0 ? (
                <Notice tone="ready" title={<Trans>Callers reach you at</Trans>}>
                  {list.map(({ id, e164 }, i) => (
                    <span key={id}>
                      {i > 0 && ', '}
                      <PhoneNumber e164={e164} />
                    </span>
                  ))}
                </Notice>
              ) : lines.length > 0 ? (
                <Notice tone="warning" title={<Trans>There is a trunk but no number on it yet.</Trans>} />
              ) : (
                <Notice title={<Trans>You need from your carrier:</Trans>}>
                  <Trans>the address calls are sent to, the addresses its calls come from, and your numbers.</Trans>
                </Notice>
              )}
              <Row>
                <Button component={Link} to={paths.numbers} variant={list.length > 0 ? 'default' : 'filled'}>
                  <Trans>Trunks and numbers</Trans>
                </Button>
              </Row>
            </Stack>
          )}
        </Loaded>
      )}
    </Loaded>
  )
}
