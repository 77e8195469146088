import { useNavigate, useSearch } from '@tanstack/react-router'

type Values = Record<string, string | undefined>

/** What a page keeps in the address bar: filters, the open tab or row. Setting undefined removes; history is not filled. */
export function useAddress(): [Values, (changes: Values) => void] {
  const values = useSearch({ strict: false }) as Values
  const navigate = useNavigate()
  const change = (changes: Values) => {
    const next = Object.fromEntries(
      Object.entries({ ...values, ...changes }).filter(([, value]) => value !== undefined && value !== ''),
    )
    void navigate({ to: '.', search: next as never, replace: true })
  }
  return [values, change]
}
