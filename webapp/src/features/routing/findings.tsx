import { useLingui } from '@lingui/react/macro'
import type { Finding } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { Notice, Stack } from '@/ui'
import { findingWords } from './words'

/** What the check found. Errors keep a flow from being published, warnings do not. */
export function Findings({ findings }: { findings: Finding[] }) {
  const { t, i18n } = useLingui()
  if (findings.length === 0) return null
  return (
    <Stack>
      {findings.map(({ severity, nodeId, messageKey, params }) => {
        const words = findingWords[messageKey]
        const error = severity === 'error'
        return (
          <Notice
            key={`${nodeId}/${messageKey}/${JSON.stringify(params)}`}
            tone={error ? 'breach' : 'warning'}
            title={words ? i18n._({ ...words, values: params }) : messageKey}
          >
            {nodeId && t`Step “${nodeId}”.`} {error && t`The flow is not published until this is right.`}
          </Notice>
        )
      })}
    </Stack>
  )
}
