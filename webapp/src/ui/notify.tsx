import { t } from '@lingui/core/macro'
import { type NotificationData, notifications } from '@mantine/notifications'
import { IconCheck, IconX } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { faultOf } from '@/api/fault'

/** Says that something was done, where the page itself does not show it. */
export const done = (message: ReactNode) => show({ message, icon: <IconCheck size={16} />, color: 'accent' })

/** Says what failed; for actions without a place of their own on the page. */
export function failed(err: unknown) {
  explain(faultOf(err))
}

/** What failed, what to do about it and where to find it again. */
export function explain(fault: { message: string; action: string; reference?: string }) {
  const reference = fault.reference ? ` (${fault.reference})` : ''
  show({
    title: fault.message,
    message: `${fault.action}${reference}`,
    icon: <IconX size={16} />,
    color: 'red',
    autoClose: 12_000,
  })
}

const show = (data: NotificationData) => notifications.show({ closeButtonProps: { 'aria-label': t`Close` }, ...data })
