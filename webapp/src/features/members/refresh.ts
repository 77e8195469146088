import { createConnectQueryKey } from '@connectrpc/connect-query'
import type { QueryClient } from '@tanstack/react-query'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'

/** After any change of members or invitations: both lists are asked again. */
export const reloadPeople = (queries: QueryClient) =>
  queries.invalidateQueries({ queryKey: createConnectQueryKey({ schema: AccessService, cardinality: undefined }) })
