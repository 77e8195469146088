/**
 * Single keys for what an agent does a hundred times a day. They are off while the cursor is in a field or a dialog is open,
 * each can be changed, and all can be switched off.
 */
import { msg } from '@lingui/core/macro'
import { useEffect, useRef } from 'react'
import { createStore, useStore } from 'zustand'
import { occupied } from '@/ui'

export const keyActions = {
  answer: { key: 'a', word: msg`Answer the call` },
  reject: { key: 'x', word: msg`Decline the call` },
  mute: { key: 'm', word: msg`Mute or speak` },
  hold: { key: 'h', word: msg`Hold or take back` },
  transfer: { key: 't', word: msg`Pass the caller on` },
  consult: { key: 'c', word: msg`Ask a colleague` },
  keypad: { key: 'k', word: msg`Open the keypad` },
  hangup: { key: 'e', word: msg`Hang up` },
  ready: { key: 'r', word: msg`Go ready` },
  finish: { key: 'f', word: msg`Finish the wrap-up` },
  help: { key: '?', word: msg`Show this list` },
}

export type KeyAction = keyof typeof keyActions
export const keyActionNames = Object.keys(keyActions) as KeyAction[]

interface Bindings {
  on: boolean
  keys: Record<KeyAction, string>
}

const stored = 'trunkline.keys'
const usual = (): Bindings => ({
  on: true,
  keys: Object.fromEntries(keyActionNames.map((name) => [name, keyActions[name].key])) as Record<KeyAction, string>,
})

export const bindings = createStore<Bindings>(() => {
  try {
    const kept = JSON.parse(localStorage.getItem(stored) ?? '{}') as Partial<Bindings>
    return { on: kept.on ?? true, keys: { ...usual().keys, ...kept.keys } }
  } catch {
    return usual()
  }
})

function keep(next: Bindings): void {
  bindings.setState(next)
  try {
    localStorage.setItem(stored, JSON.stringify(next))
  } catch {
    // Kept for this page only.
  }
}

/** Gives the action this key; an action that had it gets the old one in exchange. */
export function bind(action: KeyAction, key: string): void {
  const { on, keys } = bindings.getState()
  const other = keyActionNames.find((name) => keys[name] === key)
  keep({ on, keys: { ...keys, ...(other && { [other]: keys[action] }), [action]: key } })
}

export const switchKeys = (on: boolean): void => keep({ ...bindings.getState(), on })
export const resetKeys = (): void => keep(usual())
export const useBindings = () => useStore(bindings)

/** The action of a key press; undefined when it is none, or belongs to what has the focus. */
export function actionOf(event: KeyboardEvent): KeyAction | undefined {
  const { on, keys } = bindings.getState()
  if (!on || event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey || occupied(event.target))
    return undefined
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  return keyActionNames.find((name) => keys[name] === key)
}

/** Runs the handler of the pressed key's action. An action without a handler does nothing just now. */
export function useKeys(handlers: Partial<Record<KeyAction, () => void>>): void {
  const current = useRef(handlers)
  current.current = handlers
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const action = actionOf(event)
      const handler = action && current.current[action]
      if (!handler) return
      event.preventDefault()
      handler()
    }
    window.addEventListener('keydown', press)
    return () => window.removeEventListener('keydown', press)
  }, [])
}
