import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon, Anchor, Popover } from '@mantine/core'
import { IconInfoCircle } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { type ComponentPropsWithRef, cloneElement, type ReactElement, type ReactNode, useEffect, useRef, useState } from 'react'
import type { CallAddress } from '@/api/call-filter'
import { paths } from '@/app/paths'
import classes from './definition.module.css'
import { Stack } from './layout'

interface Props {
  name: string
  /** The calls it counted; without, it counts what no list shows. */
  calls?: CallAddress
  /** Another way to what it counted: a link. */
  way?: ReactNode
  /** The button that opens it; without, a small sign. */
  trigger?: ReactElement<ComponentPropsWithRef<'button'>>
  onOpen?: () => void
  children: ReactNode
}

/** What a figure means, and the calls it counted. */
export function Definition({ name, calls, way, trigger, onOpen, children }: Props) {
  const { t } = useLingui()
  return (
    <Popover width={300} position="bottom-end" shadow="md" withinPortal trapFocus returnFocus onOpen={onOpen}>
      <Popover.Target>
        {trigger ?? (
          <ActionIcon size={20} aria-label={t`What ${name} means`}>
            <IconInfoCircle size={16} aria-hidden />
          </ActionIcon>
        )}
      </Popover.Target>
      <Popover.Dropdown>
        <Stack>
          <div>{children}</div>
          {calls && (
            <Anchor component={Link} to={paths.calls} search={calls as never} size="sm">
              <Trans>Show these calls</Trans>
            </Anchor>
          )}
          {way}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}

/** A figure in the row of a table, which opens its definition. Tables have thousands: what opens is made when it is asked for. */
export function DefinedFigure({ value, ...definition }: Omit<Props, 'trigger' | 'onOpen'> & { value: string }) {
  const [asked, setAsked] = useState(false)
  const button = (
    <button type="button" className={classes.figure} aria-label={`${definition.name}: ${value}`}>
      {value}
    </button>
  )
  if (asked) return <Asked {...definition} trigger={button} />
  return cloneElement(button, { onClick: () => setAsked(true), 'aria-haspopup': 'dialog' })
}

/** Opens at once, as if the button that was here before had been pressed. */
function Asked({ trigger, ...definition }: Props & { trigger: ReactElement<ComponentPropsWithRef<'button'>> }) {
  const ref = useRef<HTMLButtonElement>(null)
  const opened = useRef(false)
  useEffect(() => {
    if (opened.current) return
    opened.current = true
    ref.current?.focus()
    ref.current?.click()
  }, [])
  return <Definition {...definition} trigger={cloneElement(trigger, { ref })} />
}

/** What the figures of a queue mean, the same wherever one is shown: goal and short abandonment in seconds. */
export function queueFigures(goal: number, short: number) {
  return {
    level: (
      <Trans>
        Calls answered within {goal} seconds of waiting, of all that were offered. Those who gave up within {short} seconds do not
        count.
      </Trans>
    ),
    offered: <Trans>Calls that began to wait in a queue in this period.</Trans>,
    answered: <Trans>Of the offered calls, those that were connected to an agent.</Trans>,
    inTime: <Trans>Of the offered calls, those that were connected to an agent within {goal} seconds.</Trans>,
    abandoned: <Trans>Callers who hung up while they waited, after {short} seconds or more.</Trans>,
    abandonment: <Trans>Abandoned calls, of all that were offered. Those who gave up within {short} seconds do not count.</Trans>,
    failed: (
      <Trans>
        Callers whom the site lost while they waited, because a node stopped and no other could take the call over. They did not
        hang up: the rate of abandonment does not count them, the service level does.
      </Trans>
    ),
    abandonedShort: <Trans>Callers who hung up within {short} seconds: mostly wrong numbers. No rate counts them.</Trans>,
    other: (
      <Trans>
        Calls that left the queue without an agent and without hanging up: the longest allowed wait was over, or the call flow went
        on.
      </Trans>
    ),
    asa: <Trans>How long the answered calls waited, on average (ASA).</Trans>,
    longest: <Trans>The longest wait of any call, answered or not.</Trans>,
    aht: <Trans>Talking, hold and wrap-up of the answered calls, on average (AHT).</Trans>,
  }
}
