import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconMapOff } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { refreshSession, useSession } from '@/api'
import { EmptyState, ErrorState, Page } from '@/ui'
import { paths } from './paths'

/** No such address. */
export function NotFound() {
  const { t } = useLingui()
  return (
    <Page title={t`Not found`}>
      <EmptyState
        icon={IconMapOff}
        title={<Trans>There is no page at this address</Trans>}
        action={
          <Button component={Link} to={paths.home} variant="default">
            <Trans>Go to the start page</Trans>
          </Button>
        }
      >
        <Trans>The link may be old, or a character was lost when it was copied.</Trans>
      </EmptyState>
    </Page>
  )
}

/** The cloud could not be asked who this is. Nobody is signed out by that. */
export function Unreachable() {
  const session = useSession()
  return (
    <main>
      <Page title="Trunkline">
        <ErrorState error={session.status === 'unreachable' ? session.cause : undefined} retry={() => void refreshSession()} />
      </Page>
    </main>
  )
}
