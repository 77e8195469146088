import { Trans } from '@lingui/react/macro'
import { Skeleton as Bone, Button } from '@mantine/core'
import { type Icon, IconCloudOff, IconInbox, IconLock, IconRefresh } from '@tabler/icons-react'
import { type ReactNode, useEffect, useState } from 'react'
import { faultOf } from '@/api/fault'
import classes from './states.module.css'

interface CentreProps {
  icon?: Icon
  title: ReactNode
  children?: ReactNode
  action?: ReactNode
  reference?: string
  role?: 'alert' | 'status'
}

function Centre({ icon: Shown = IconInbox, title, children, action, reference, role }: CentreProps) {
  return (
    <div className={classes.centre} role={role}>
      <Shown size={28} stroke={1.5} className={classes.centreIcon} aria-hidden />
      <p className={classes.centreTitle}>{title}</p>
      {children && <p className={classes.centreText}>{children}</p>}
      {action && <div className={classes.centreActions}>{action}</div>}
      {reference && (
        <p className={classes.reference}>
          <Trans>Reference {reference}</Trans>
        </p>
      )}
    </div>
  )
}

/** Nothing here yet: says why, and one action that changes it. Not for forbidden and not for failed. */
export const EmptyState = (props: { icon?: Icon; title: ReactNode; children?: ReactNode; action?: ReactNode }) => (
  <Centre {...props} />
)

/** What happened, what to do, the reference and a retry. Shows Forbidden by itself when that is what it was. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  const fault = faultOf(error)
  if (fault.kind === 'forbidden') return <Forbidden>{fault.action}</Forbidden>
  return (
    <Centre
      icon={IconCloudOff}
      role="alert"
      title={fault.message}
      reference={fault.reference}
      action={
        retry && (
          <Button variant="default" leftSection={<IconRefresh size={16} />} onClick={retry}>
            <Trans>Try again</Trans>
          </Button>
        )
      }
    >
      {fault.action}
    </Centre>
  )
}

/** The role does not allow it: said as such, never as an empty list. */
export const Forbidden = ({ children }: { children?: ReactNode }) => (
  <Centre icon={IconLock} title={<Trans>Your role does not include this page</Trans>}>
    {children || <Trans>Ask an owner or administrator of your company for access.</Trans>}
  </Centre>
)

/** Grey lines while something loads, after 200 ms: what is quick never flickers. */
export function Skeleton({ rows = 5 }: { rows?: number }) {
  const late = useLate(200)
  if (!late) return null
  return (
    <div className={classes.bones} aria-busy="true">
      {Array.from({ length: rows }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike
        <Bone key={i} height={12} width={`${92 - ((i * 17) % 40)}%`} radius="sm" />
      ))}
    </div>
  )
}

export function useLate(ms: number): boolean {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), ms)
    return () => clearTimeout(timer)
  }, [ms])
  return late
}

interface QueryLike<T> {
  data: T | undefined
  error: unknown
  isPending: boolean
  refetch: () => unknown
}

/** The four states of what a page loads: skeleton, error (or forbidden), and its content. Old data stays while it reloads. */
export function Loaded<T>({ query, rows, children }: { query: QueryLike<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data)
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />
  return <Skeleton rows={rows} />
}
