import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconPhone, IconPhoneOff } from '@tabler/icons-react'
import { useEffect } from 'react'
import { Duration, formatDuration, PhoneNumber } from '@/ui'
import type { CallView } from '../session/model'
import { offerShown } from '../softphone/timing'
import { CallMeta } from './call-meta'
import { ConsultLine } from './consult'
import classes from './desktop.module.css'
import { Key } from './key'
import { useAgent, useCommand, useSession, useSiteNow } from './use-agent'

/** A call that rings: who, from where, how long they wait, what they chose, and how long is left to answer. */
export function OfferCard({ call }: { call: CallView }) {
  const { t } = useLingui()
  const session = useSession()
  const command = useCommand()
  const pending = useAgent((state) => state.pending[call.id])
  const offsetMs = useAgent((state) => state.clockOffset)
  const { id, offeredAt } = call
  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      if (offeredAt !== undefined) offerShown(id, session.clock.now() - offeredAt)
    })
    return () => cancelAnimationFrame(frame)
  }, [id, offeredAt, session])
  return (
    <section
      className={`${classes.strip} ${classes.offer}`}
      aria-label={t`Incoming call`}
      data-testid="offer-card"
      data-call={call.id}
    >
      <div className={classes.who} role="status">
        <p className={classes.caller} data-testid="offer-caller">
          {call.callerName || <PhoneNumber e164={call.caller} />}
        </p>
        <CallMeta call={call}>
          <ConsultLine call={call} />
          {call.enqueuedAt !== undefined && (
            <span data-testid="offer-wait">
              <Trans>
                waiting <Duration since={new Date(call.enqueuedAt)} offsetMs={offsetMs} />
              </Trans>
            </span>
          )}
        </CallMeta>
      </div>
      <Countdown from={call.offeredAt} to={call.offerDeadline} />
      <div className={classes.controls}>
        <Button
          size="md"
          leftSection={<IconPhone size={18} aria-hidden />}
          data-testid="accept"
          loading={pending?.accept}
          disabled={pending?.reject}
          onClick={() => void command({ name: 'accept', callId: id })}
        >
          <Trans>Answer</Trans>
          <Key of="answer" />
        </Button>
        <Button
          size="md"
          variant="default"
          leftSection={<IconPhoneOff size={18} aria-hidden />}
          data-testid="reject"
          loading={pending?.reject}
          disabled={pending?.accept}
          onClick={() => void command({ name: 'reject', callId: id })}
        >
          <Trans>Decline</Trans>
          <Key of="reject" />
        </Button>
      </div>
    </section>
  )
}

function Countdown({ from, to }: { from?: number; to?: number }) {
  const now = useSiteNow(250)
  if (to === undefined) return null
  const left = Math.max(0, to - now)
  const whole = Math.max(1, to - (from ?? now))
  const late = left < 5_000
  return (
    <div className={classes.countdown} data-testid="offer-countdown">
      <span aria-hidden>
        <Trans>{formatDuration(left + 999)} left</Trans>
      </span>
      <div className={classes.track} aria-hidden>
        <div
          className={late ? `${classes.fill} ${classes.fillWarn}` : classes.fill}
          style={{ width: `${Math.min(100, (100 * left) / whole)}%` }}
        />
      </div>
    </div>
  )
}
