import { createConnectQueryKey } from '@connectrpc/connect-query'
import type { QueryClient } from '@tanstack/react-query'
import { ConsoleService } from '@/api/gen/trunkline/cloud/v1/console_pb'

export const reloadConsole = (queries: QueryClient) =>
  queries.invalidateQueries({ queryKey: createConnectQueryKey({ schema: ConsoleService, cardinality: undefined }) })
