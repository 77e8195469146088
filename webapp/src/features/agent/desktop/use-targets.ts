import { useEffect, useState } from 'react'
import type { TargetsView } from '../session/model'
import { useSession } from './use-agent'

const askEvery = 1_000

interface Targets {
  /** Undefined until the first answer. */
  targets?: TargetsView
  /** The site did not answer last time: what is shown may have changed. */
  stale: boolean
}

/** Who a caller can be passed to, as it changes. */
export function useTargets(callId: string, query: string): Targets {
  const session = useSession()
  const [targets, setTargets] = useState<TargetsView>()
  const [stale, setStale] = useState(false)
  useEffect(() => {
    let over = false
    let timer: ReturnType<typeof setTimeout>
    const ask = async () => {
      try {
        const answer = await session.targets(callId, query)
        if (!over) setTargets(answer)
        if (!over) setStale(false)
      } catch {
        if (!over) setStale(true)
      }
      if (!over) timer = setTimeout(ask, askEvery)
    }
    void ask()
    return () => {
      over = true
      clearTimeout(timer)
    }
  }, [session, callId, query])
  return { targets, stale }
}
