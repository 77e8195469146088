import { notifications } from '@mantine/notifications'
import { IconCheck, IconX } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { faultOf } from '@/api/fault'

/** Says that something was done, where the page itself does not show it. */
export const done = (message: ReactNode) => notifications.show({ message, icon: <IconCheck size={16} />, color: 'accent' })

/** Says what failed; for actions without a place of their own on the page. */
export function failed(err: unknown) {
  const fault = faultOf(err)
  const reference = fault.reference ? ` (${fault.reference})` : ''
  notifications.show({
    title: fault.message,
    message: `${fault.action}${reference}`,
    icon: <IconX size={16} />,
    color: 'red',
    autoClose: 12_000,
  })
}
