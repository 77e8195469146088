import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { Link, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { cloudClient, refreshSession } from '@/api'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { paths } from '@/app/paths'
import { FaultNotice, Notice, Skeleton } from '@/ui'
import { AccessCard } from './card'

/** The link sent to a new address: ?token=. */
export function ConfirmEmailPage() {
  const { t } = useLingui()
  const { token = '' } = useSearch({ strict: false }) as { token?: string }
  const [state, setState] = useState<{ done?: true; error?: unknown }>({})
  const sent = useRef(false)
  useEffect(() => {
    if (sent.current) return
    sent.current = true
    cloudClient(AccessService)
      .confirmEmailChange({ token: String(token) })
      .then(
        () => {
          setState({ done: true })
          // Whoever is signed in here sees the new address.
          void refreshSession()
        },
        (error) => setState({ error }),
      )
  }, [token])
  return (
    <AccessCard title={t`Your new address`}>
      {state.done ? (
        <Notice tone="ready" title={t`The address is confirmed.`}>
          <Trans>From now on you sign in with it.</Trans>
        </Notice>
      ) : state.error !== undefined ? (
        <FaultNotice error={state.error} />
      ) : (
        <Skeleton rows={2} />
      )}
      <Button component={Link} to={paths.home} variant="default" size="md">
        <Trans>Go on</Trans>
      </Button>
    </AccessCard>
  )
}
