import { createConnectQueryKey } from '@connectrpc/connect-query'
import type { QueryClient } from '@tanstack/react-query'
import { OnboardingService, RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'

/** After any change here: lists and the checklist are asked again. */
export const reloadRouting = (queries: QueryClient) =>
  Promise.all(
    [RoutingService, OnboardingService].map((schema) =>
      queries.invalidateQueries({ queryKey: createConnectQueryKey({ schema, cardinality: undefined }) }),
    ),
  )
