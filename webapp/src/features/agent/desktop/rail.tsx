import { Trans, useLingui } from '@lingui/react/macro'
import { agentStateLook, formatPhone, StatusBadge } from '@/ui'
import type { CallView } from '../session/model'
import { select, useDesk } from './desk'
import classes from './desktop.module.css'
import { useAgent } from './use-agent'

const states = { offered: 'ringing', talking: 'talking', held: 'held', wrap_up: 'wrap_up', ended: 'offline' } as const

/** What the agent works on now, and what they worked on before. */
export function Rail() {
  const { t } = useLingui()
  const calls = useAgent((state) => state.calls)
  const past = useDesk((desk) => desk.past)
  return (
    <nav className={classes.rail} aria-label={t`Interactions`}>
      <h2 className={classes.heading}>
        <Trans>Now</Trans>
      </h2>
      {calls.length === 0 && (
        <p className={classes.quiet} style={{ marginBottom: 16 }}>
          <Trans>No call</Trans>
        </p>
      )}
      <ul className={classes.items} data-testid="rail-now">
        {calls.map((call) => (
          <Item key={call.id} call={call} />
        ))}
      </ul>
      {past.length > 0 && (
        <>
          <h2 className={classes.heading}>
            <Trans>Earlier</Trans>
          </h2>
          <ul className={classes.items} data-testid="rail-past">
            {past.map(({ call, at }) => (
              <Item key={call.id} call={call} at={at} />
            ))}
          </ul>
        </>
      )}
    </nav>
  )
}

function Item({ call, at }: { call: CallView; at?: number }) {
  const { i18n, t } = useLingui()
  const selected = useDesk((desk) => desk.selected === call.id && desk.view === 'work')
  const look = agentStateLook(states[call.state])
  return (
    <li>
      <button type="button" className={classes.item} aria-current={selected} onClick={() => select(call.id)}>
        <span className={classes.clip}>{call.callerName || (call.caller ? formatPhone(call.caller) : t`Withheld`)}</span>
        <span className={classes.itemMeta}>
          {at === undefined ? (
            <StatusBadge tone={look.tone} icon={look.icon} plain>
              {i18n._(look.word)}
            </StatusBadge>
          ) : (
            <span className={classes.clip}>{call.queueName}</span>
          )}
          {at === undefined ? (
            <span className={classes.clip}>{call.queueName}</span>
          ) : (
            <time className={classes.timer}>{new Intl.DateTimeFormat(i18n.locale, { timeStyle: 'short' }).format(at)}</time>
          )}
        </span>
      </button>
    </li>
  )
}
