import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon, Anchor, Popover } from '@mantine/core'
import { IconInfoCircle } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { CallAddress } from '@/api'
import { paths } from '@/app/paths'
import { Stack } from '@/ui'

/** What a figure means, and the calls it counted. */
export function Definition({ name, calls, children }: { name: string; calls?: CallAddress; children: ReactNode }) {
  const { t } = useLingui()
  return (
    <Popover width={300} position="bottom-end" shadow="md" withinPortal trapFocus returnFocus>
      <Popover.Target>
        <ActionIcon size={20} aria-label={t`What ${name} means`}>
          <IconInfoCircle size={16} aria-hidden />
        </ActionIcon>
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
