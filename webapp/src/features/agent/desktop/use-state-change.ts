import { checkMicrophone } from '../softphone/preflight'
import { unlockRinger } from '../softphone/ringer'
import { show } from './desk'
import { useAgent, useCommand } from './use-agent'

/**
 * Changes the state. Going ready is the click that lets the page ring, and the moment to find out that there is no microphone:
 * before a caller waits for it.
 */
export function useStateChange(): (state: 'ready' | 'not_ready', reason?: string) => Promise<void> {
  const command = useCommand()
  const leads = useAgent((state) => state.role === 'leader')
  const inCall = useAgent((state) => state.calls.length > 0)
  return async (state, reason = '') => {
    if (state === 'ready' && leads) {
      unlockRinger()
      if (typeof Notification !== 'undefined' && Notification.permission === 'default')
        void Notification.requestPermission().catch(() => {})
      if (!inCall && (await checkMicrophone())) return show('check')
    }
    await command({ name: 'state', state, reason })
  }
}
