import { QueryClient } from '@tanstack/react-query'
import { faultOf } from '@/api'

/** Only what may pass by itself is asked again; a refusal is shown at once. */
export const makeQueryClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        retry: (count, error) => count < 2 && faultOf(error).kind === 'unavailable',
        retryDelay: (count, error) => (faultOf(error).retryAfter ? faultOf(error).retryAfter * 1000 : 400 * 2 ** count),
      },
      mutations: { retry: false },
    },
  })
