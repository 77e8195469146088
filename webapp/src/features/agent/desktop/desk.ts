/** What belongs to the desktop of this tab alone: which work is open, what was worked on, the notes being written. */
import { createStore, useStore } from 'zustand'
import type { CallView } from '../session/model'
import type { AgentSession } from '../session/session'
import { pageTimer } from '../session/timer'
import { Draft } from './draft'

export type View = 'work' | 'check' | 'keys'

interface Desk {
  view: View
  /** The call shown in the centre. */
  selected?: string
  /** Calls that are over, newest first. */
  past: { call: CallView; at: number }[]
}

const keptPast = 20
export const desk = createStore<Desk>(() => ({ view: 'work', past: [] }))
export const useDesk = <T>(select: (state: Desk) => T): T => useStore(desk, select)
export const show = (view: View) => desk.setState({ view })
export const select = (selected: string | undefined) => desk.setState({ selected, view: 'work' })

/**
 * Follows the session: what ended goes to the list of past calls; a new call opens its own tab and is shown only when nothing
 * else is being worked on.
 */
export function followCalls(session: AgentSession): () => void {
  let before = session.store.getState().calls
  const follow = () => {
    const { calls } = session.store.getState()
    if (calls === before) return
    const over = before.filter((call) => !calls.some(({ id }) => id === call.id))
    const known = before
    before = calls
    const { past, selected } = desk.getState()
    const working = calls.some(({ id }) => id === selected)
    const fresh = calls.find((call) => !known.some(({ id }) => id === call.id))
    desk.setState({
      past: [
        ...over.map((call) => ({ call, at: session.clock.now() })),
        ...past.filter(({ call }) => !calls.some(({ id }) => id === call.id)),
      ].slice(0, keptPast),
      selected: working ? selected : (fresh?.id ?? calls[0]?.id ?? (over.some(({ id }) => id === selected) ? undefined : selected)),
    })
    for (const call of over) drafts.delete(call.id)
  }
  follow()
  if (before[0] && !desk.getState().selected) select(before[0].id)
  const stop = session.store.subscribe(follow)
  return () => {
    stop()
    // What is not sent yet stands in the browser's storage and is sent when the desktop is back.
    for (const draft of drafts.values()) draft.stop()
    drafts.clear()
  }
}

const drafts = new Map<string, Draft>()

/** The note of a call; one for as long as the call is here, whatever is shown meanwhile. */
export function draftOf(session: AgentSession, call: CallView): Draft {
  let draft = drafts.get(call.id)
  if (!draft) {
    const save = (code: string, note: string, finish: boolean) =>
      session.run({ name: 'wrap_up', callId: call.id, code, note, finish })
    draft = new Draft(call.id, { code: call.wrapUpCode, note: call.wrapUpNote }, save, pageTimer, window.localStorage)
    drafts.set(call.id, draft)
  }
  return draft
}
