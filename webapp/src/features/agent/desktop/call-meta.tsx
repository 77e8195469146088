import { Trans } from '@lingui/react/macro'
import type { ReactNode } from 'react'
import { PhoneNumber } from '@/ui'
import type { CallView } from '../session/model'
import classes from './desktop.module.css'

/** The caller's number, or why there is none. */
export function CallerNumber({ call }: { call: CallView }) {
  return call.test ? (
    <span>
      <Trans>Test call from a browser</Trans>
    </span>
  ) : (
    <PhoneNumber e164={call.caller} />
  )
}

/** The line under the caller: number, queue, menu path, and what else belongs there. */
export function CallMeta({ call, children }: { call: CallView; children?: ReactNode }) {
  return (
    <p className={classes.meta}>
      {call.callerName && <CallerNumber call={call} />}
      {call.queueName && (
        <span data-testid="call-queue">
          <Trans>Queue {call.queueName}</Trans>
        </span>
      )}
      {call.transferredBy && (
        <span data-testid="transferred-by">
          <Trans>passed on by {call.transferredBy}</Trans>
        </span>
      )}
      {children}
      {call.menuPath.length > 0 && <span data-testid="call-menu-path">{call.menuPath.join(' › ')}</span>}
    </p>
  )
}
