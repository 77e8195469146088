import { useEffect } from 'react'
import { Skeleton } from '@/ui'
import { liveSession } from '../live'
import type { AgentSession } from '../session/session'
import { CallBar } from './call-bar'
import { ContextPanel } from './context-panel'
import { desk, followCalls, show, useDesk } from './desk'
import classes from './desktop.module.css'
import { Gone } from './gone'
import { KeyList } from './key-list'
import { MicrophoneCheck } from './microphone-check'
import { Notices } from './notices'
import { Rail } from './rail'
import { SessionContext, useAgent } from './use-agent'
import { useAlert } from './use-alert'
import { Workspace } from './workspace'

/** The agent's page. It fills the window: call bar on top through everything, rail, work, context. */
export function DesktopPage({ session = liveSession() }: { session?: AgentSession }) {
  useEffect(() => followCalls(session), [session])
  return (
    <SessionContext value={session}>
      <Frame />
    </SessionContext>
  )
}

function Frame() {
  const phase = useAgent((state) => state.phase)
  return phase === 'running' ? <Desktop /> : <Gone />
}

function Desktop() {
  useAlert()
  useEscape()
  const view = useDesk((state) => state.view)
  const known = useAgent((state) => state.agent !== undefined)
  return (
    <div className={classes.desktop} data-testid="desktop">
      <CallBar />
      <Notices />
      <div className={classes.body}>
        <Rail />
        <main className={classes.centre} id="main">
          {!known && <Skeleton rows={6} />}
          {view === 'work' && known && <Workspace />}
          {view === 'check' && <MicrophoneCheck />}
          {view === 'keys' && <KeyList />}
        </main>
        <ContextPanel />
      </div>
    </div>
  )
}

/** Escape goes back to work, from wherever. */
function useEscape(): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.defaultPrevented && desk.getState().view !== 'work') show('work')
    }
    window.addEventListener('keydown', press)
    return () => window.removeEventListener('keydown', press)
  }, [])
}
