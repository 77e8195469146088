import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconLogin, IconPlugConnectedX, IconUserOff } from '@tabler/icons-react'
import { appConfig } from '@/api'
import { EmptyState, Preferences, Skeleton } from '@/ui'
import classes from './desktop.module.css'
import { useAgent, useSession } from './use-agent'
import { endedWords } from './words'

/** The cloud's page that sends an agent here with a grant. */
const signInAddress = () => `${appConfig().cloudUrl}/desktop`

/** Nobody is signed in at this site: why, and the way in. */
export function Gone() {
  const { i18n } = useLingui()
  const session = useSession()
  const phase = useAgent((state) => state.phase)
  const ended = useAgent((state) => state.ended)
  const fault = useAgent((state) => state.fault)
  if (phase === 'starting' || phase === 'exchanging') return <Waiting />
  const again = (
    <Button component="a" href={signInAddress()} leftSection={<IconLogin size={16} aria-hidden />} data-testid="sign-in">
      <Trans>Sign in</Trans>
    </Button>
  )
  return (
    <main className={classes.gone} data-testid="signed-out" data-reason={ended ?? fault?.key ?? ''}>
      {ended !== undefined ? (
        <EmptyState icon={IconUserOff} title={i18n._(endedWords(ended).title)} action={again}>
          {i18n._(endedWords(ended).text)}
        </EmptyState>
      ) : fault ? (
        <EmptyState
          icon={IconPlugConnectedX}
          title={fault.message}
          action={
            <>
              {fault.kind === 'unavailable' && (
                <Button variant="default" onClick={() => session.retry()}>
                  <Trans>Try again</Trans>
                </Button>
              )}
              {again}
            </>
          }
        >
          {fault.action} {fault.reference && <Trans>Reference {fault.reference}</Trans>}
        </EmptyState>
      ) : (
        <EmptyState icon={IconLogin} title={<Trans>Sign in to take calls</Trans>} action={again}>
          <Trans>You sign in at the cloud once; this site then remembers you for twelve hours, also when the cloud is away.</Trans>
        </EmptyState>
      )}
      <div style={{ justifySelf: 'center' }}>
        <Preferences />
      </div>
    </main>
  )
}

/** Another tab that does not answer must not lock the agent out. */
function Waiting() {
  const session = useSession()
  const remote = useAgent((state) => state.role === 'remote')
  return (
    <main className={classes.gone}>
      <Skeleton rows={4} />
      {remote && (
        <EmptyState
          title={<Trans>Another tab has the desktop</Trans>}
          action={
            <Button variant="default" onClick={() => session.takeOver()} data-testid="take-over">
              <Trans>Use this tab instead</Trans>
            </Button>
          }
        >
          <Trans>It has not answered yet.</Trans>
        </EmptyState>
      )}
    </main>
  )
}
