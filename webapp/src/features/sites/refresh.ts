import { createConnectQueryKey } from '@connectrpc/connect-query'
import type { QueryClient } from '@tanstack/react-query'
import { OnboardingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'

/** After any change of sites, trunks or numbers: all lists are asked again, and the checklist that follows from them. */
export const reloadSites = (queries: QueryClient) =>
  Promise.all(
    [SiteService, OnboardingService].map((schema) =>
      queries.invalidateQueries({ queryKey: createConnectQueryKey({ schema, cardinality: undefined }) }),
    ),
  )
