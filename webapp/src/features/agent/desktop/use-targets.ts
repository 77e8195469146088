import { useEffect, useState } from 'react'
import type { TargetsView } from '../session/model'
import { explain, useSession } from './use-agent'

const askEvery = 1_000

/** Who a caller can be passed to, as it changes. Undefined until the first answer, and while nothing is to be shown. */
export function useTargets(query: string, wanted: boolean): TargetsView | undefined {
  const session = useSession()
  const [targets, setTargets] = useState<TargetsView>()
  useEffect(() => {
    if (!wanted) return setTargets(undefined)
    let over = false
    let timer: ReturnType<typeof setTimeout>
    let failed = false
    const ask = async () => {
      try {
        const answer = await session.targets(query)
        if (!over) setTargets(answer)
        failed = false
      } catch (error) {
        // Said once; what was known stays until the next answer.
        if (!over && !failed) explain(error)
        failed = true
      }
      if (!over) timer = setTimeout(ask, askEvery)
    }
    void ask()
    return () => {
      over = true
      clearTimeout(timer)
    }
  }, [session, query, wanted])
  return targets
}
