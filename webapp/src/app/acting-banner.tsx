import { Trans } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconUserShield } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { acceptSession, at, cloudClient, type MeResponse, refreshSession } from '@/api'
import { ConsoleService } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { failed, formatDuration, useNow } from '@/ui'
import classes from './shell.module.css'

/** Shown for as long as platform staff act as this tenant: who, why, and until when. It ends by itself. */
export function ActingBanner({ me }: { me: MeResponse }) {
  const [busy, setBusy] = useState(false)
  const now = useNow(1000)
  const ends = at(me.actingAs?.endsAt)
  const left = ends ? ends.getTime() - now : undefined
  const over = left !== undefined && left <= 0
  useEffect(() => {
    if (over) void refreshSession()
  }, [over])
  const stop = async () => {
    setBusy(true)
    try {
      acceptSession(await cloudClient(ConsoleService).stopActing({}))
    } catch (err) {
      failed(err)
    } finally {
      setBusy(false)
    }
  }
  const tenant = me.membership?.tenantName
  const admin = me.actingAs?.adminEmail
  const reason = me.actingAs?.reason
  return (
    <div className={classes.banner} role="status">
      <IconUserShield size={16} aria-hidden />
      <span>
        <Trans>
          {admin} is acting as {tenant}: {reason}
        </Trans>
      </span>
      {left !== undefined && (
        <span>
          <Trans>Ends in {formatDuration(left)}</Trans>
        </span>
      )}
      <Button size="xs" variant="default" loading={busy} onClick={() => void stop()}>
        <Trans>Stop now</Trans>
      </Button>
    </div>
  )
}
