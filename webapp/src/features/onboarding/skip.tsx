import { createConnectQueryKey, useMutation } from '@connectrpc/connect-query'
import { Trans } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { may, useMe } from '@/api'
import { OnboardingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { failed, useAddress } from '@/ui'

const skippable = ['trunk', 'agents', 'routing']

/** Leaves a step for later; only an owner may, and not site and test call, which nothing works without. */
export function SkipButton({ id }: { id: string }) {
  const queries = useQueryClient()
  const [, setAddress] = useAddress()
  const owner = may(useMe(), 'tenant_manage')
  const skip = useMutation(OnboardingService.method.skipStep, {
    onSuccess: (checklist) => {
      queries.setQueryData(
        createConnectQueryKey({ schema: OnboardingService.method.getChecklist, input: {}, cardinality: 'finite' }),
        checklist,
      )
      void queries.invalidateQueries({ queryKey: createConnectQueryKey({ schema: OnboardingService, cardinality: undefined }) })
      setAddress({ step: checklist.steps.find(({ status }) => status === 'open')?.id })
    },
    onError: failed,
  })
  if (!owner || !skippable.includes(id)) return null
  return (
    <Button size="xs" variant="subtle" color="gray" loading={skip.isPending} onClick={() => skip.mutate({ id })}>
      <Trans>Skip for now</Trans>
    </Button>
  )
}
