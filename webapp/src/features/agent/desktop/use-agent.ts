import { createContext, useContext, useMemo } from 'react'
import { useStore } from 'zustand'
import { explain as show, useNow } from '@/ui'
import type { Command } from '../session/commands'
import type { AgentSession } from '../session/session'
import type { SessionState } from '../session/state'
import { faultViewOf } from '../session/tabs'
import { answerPressed } from '../softphone/timing'

export const SessionContext = createContext<AgentSession | undefined>(undefined)

export function useSession(): AgentSession {
  const session = useContext(SessionContext)
  if (!session) throw new Error('outside of the desktop')
  return session
}

export function useAgent<T>(select: (state: SessionState) => T): T {
  return useStore(useSession().store, select)
}

/** Shows why something the agent asked for did not happen. */
export function explain(error: unknown): void {
  show(faultViewOf(error))
}

/** Sends commands. A failure is explained here; the answer says whether it worked. */
export function useCommand(): (command: Command) => Promise<boolean> {
  const session = useSession()
  return useMemo(
    () => async (command) => {
      if (command.name === 'accept') answerPressed(command.callId)
      try {
        await session.run(command)
        return true
      } catch (error) {
        explain(error)
        return false
      }
    },
    [session],
  )
}

/** The site's time, again each `everyMs`. */
export function useSiteNow(everyMs = 1_000): number {
  return useNow(everyMs) + useAgent((state) => state.clockOffset)
}
