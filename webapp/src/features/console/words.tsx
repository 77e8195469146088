import { useLingui } from '@lingui/react/macro'
import { StatusBadge, type Tone } from '@/ui'

/** By TenantSummary.status. */
export function TenantStatus({ status }: { status: string }) {
  const { t } = useLingui()
  const looks: Record<string, [Tone, string]> = {
    active: ['ready', t`Active`],
    suspending: ['warning', t`Being suspended`],
    suspended: ['breach', t`Suspended`],
    deleting: ['off', t`Being deleted`],
  }
  const [tone, word] = looks[status] ?? ['off', status]
  return <StatusBadge tone={tone}>{word}</StatusBadge>
}
