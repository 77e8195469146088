import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon, Anchor, Popover } from '@mantine/core'
import { IconInfoCircle } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import type { ReactElement, ReactNode } from 'react'
import type { CallAddress } from '@/api/call-filter'
import { paths } from '@/app/paths'
import { Stack } from './layout'

interface Props {
  name: string
  /** The calls it counted; without, it counts what no list shows. */
  calls?: CallAddress
  /** The button that opens it; without, a small sign. */
  trigger?: ReactElement
  onOpen?: () => void
  children: ReactNode
}

/** What a figure means, and the calls it counted. */
export function Definition({ name, calls, trigger, onOpen, children }: Props) {
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
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
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
    abandoned: <Trans>Callers who hung up while they waited, after {short} seconds or more.</Trans>,
    failed: (
      <Trans>
        Callers whom the site lost while they waited, because a node stopped and no other could take the call over. They did not
        hang up: the rate of abandonment does not count them, the service level does.
      </Trans>
    ),
    abandonedShort: <Trans>Callers who hung up within {short} seconds: mostly wrong numbers. No rate counts them.</Trans>,
  }
}
