import { useLingui } from '@lingui/react/macro'
import { useEffect } from 'react'
import { formatPhone } from '@/ui'
import { startRinging, stopRinging } from '../softphone/ringer'
import { useAgent } from './use-agent'

/** Rings, knocks on the desktop and in the title while a call is offered. Only the tab with the audio does. */
export function useAlert(): void {
  const { t } = useLingui()
  const leads = useAgent((state) => state.role === 'leader')
  const offered = useAgent((state) =>
    state.calls.find((call) => call.state === 'offered' && !state.pending[call.id]?.accept && !state.pending[call.id]?.reject),
  )
  const talking = useAgent((state) => state.calls.some(({ state }) => state === 'talking' || state === 'held'))
  const id = offered?.id
  const who = offered && (offered.callerName || (offered.caller ? formatPhone(offered.caller) : t`Withheld number`))
  const from = offered?.queueName ?? ''

  useEffect(() => {
    if (!id || !leads) return
    startRinging()
    const note = notify(t`Call from ${who ?? ''}`, from, id)
    return () => {
      stopRinging()
      note?.close()
    }
  }, [id, leads, who, from, t])

  useEffect(() => {
    document.title = who ? `☎ ${who} · Trunkline` : `${t`Agent desktop`} · Trunkline`
  }, [who, t])

  useEffect(() => {
    if (!talking || !leads) return
    const warn = (event: BeforeUnloadEvent) => event.preventDefault()
    window.addEventListener('beforeunload', warn)
    return () => window.removeEventListener('beforeunload', warn)
  }, [talking, leads])
}

/** A notification of the system, when the agent looks at something else. */
function notify(title: string, body: string, tag: string): Notification | undefined {
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted' || document.hasFocus()) return undefined
  try {
    const note = new Notification(title, { body, tag, requireInteraction: true })
    note.onclick = () => {
      window.focus()
      note.close()
    }
    return note
  } catch {
    // Some browsers only notify through a service worker; the ringing is enough.
    return undefined
  }
}
