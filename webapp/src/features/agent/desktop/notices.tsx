import { Plural, Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useEffect, useState } from 'react'
import { Duration, ExactTime, formatPhone, Notice } from '@/ui'
import { show } from './desk'
import classes from './desktop.module.css'
import { problemWords } from './problem-words'
import { useAgent, useSession, useSiteNow } from './use-agent'
import { lostOfferWord } from './words'

/** What an agent must know besides the call, worst first. Nothing here covers anything. */
export function Notices() {
  return (
    <div className={classes.notices}>
      <Lost />
      <Remote />
      <SiteMode />
      <Audio />
      <Moved />
      <LostOffer />
    </div>
  )
}

/** No node answers. Audio needs none of the streams. */
function Lost() {
  const { t } = useLingui()
  const lost = useAgent((state) => state.connection === 'lost')
  const since = useAgent((state) => state.lostAt)
  const inCall = useAgent((state) => state.calls.some(({ state }) => state === 'talking' || state === 'held'))
  if (!lost) return null
  return (
    <Notice tone="breach" title={t`No node of your site answers.`}>
      <span data-testid="connection-lost">
        {inCall ? (
          <Trans>The call goes on; buttons may have to wait.</Trans>
        ) : (
          <Trans>No calls can be offered to you meanwhile.</Trans>
        )}{' '}
        {since !== undefined && (
          <Trans>
            Trying again, for <Duration since={new Date(since)} /> now.
          </Trans>
        )}
      </span>
    </Notice>
  )
}

function Remote() {
  const { t } = useLingui()
  const session = useSession()
  const remote = useAgent((state) => state.role === 'remote' && state.phase === 'running')
  if (!remote) return null
  return (
    <Notice
      tone="off"
      title={t`Another tab has your calls.`}
      action={
        <Button size="xs" variant="default" data-testid="take-over" onClick={() => session.takeOver()}>
          <Trans>Use this tab instead</Trans>
        </Button>
      }
    >
      <span data-testid="remote-tab">
        <Trans>You see and control everything here; the sound is in the other tab.</Trans>
      </span>
    </Notice>
  )
}

function SiteMode() {
  const { t } = useLingui()
  const mode = useAgent((state) => state.siteMode)
  if (!mode || mode.cloudConnected) return null
  return (
    <Notice tone="warning" title={t`Site mode`}>
      <span data-testid="site-mode">
        {mode.cloudSeenAt === undefined ? (
          <Trans>The cloud cannot be reached. Calls work as always.</Trans>
        ) : (
          <Trans>
            The cloud cannot be reached since <ExactTime at={new Date(mode.cloudSeenAt)} style="time" />. Calls work as always.
          </Trans>
        )}{' '}
        {mode.recordsWaiting > 0 && (
          <span data-testid="records-waiting">
            <Plural
              value={mode.recordsWaiting}
              one="# record waits and is sent when it is back."
              other="# records wait and are sent when it is back."
            />
          </span>
        )}
      </span>
    </Notice>
  )
}

function Audio() {
  const { i18n, t } = useLingui()
  const audio = useAgent((state) => state.audio)
  const switched = useRecently(audio.switched?.at, 15_000)
  if (audio.problem) {
    const words = problemWords[audio.problem]
    return (
      <Notice
        tone="breach"
        title={t`The caller cannot hear you.`}
        action={
          <Button size="xs" variant="default" onClick={() => show('check')}>
            <Trans>Check the microphone</Trans>
          </Button>
        }
      >
        <span data-testid="microphone-problem">{i18n._(words.fix)}</span>
      </Notice>
    )
  }
  if (audio.blocked) {
    return (
      <Notice
        tone="warning"
        title={t`The browser does not play sound until you click.`}
        action={
          <Button size="xs" data-testid="unblock-audio">
            <Trans>Turn the sound on</Trans>
          </Button>
        }
      />
    )
  }
  if (audio.switched && switched) {
    const { from, to } = audio.switched
    return (
      <Notice tone="warning" title={t`Microphone changed`}>
        <span data-testid="microphone-switched">
          {from ? (
            <Trans>
              {from} is gone; the caller hears you through {to} now.
            </Trans>
          ) : (
            <Trans>The caller hears you through {to} now.</Trans>
          )}
        </span>
      </Notice>
    )
  }
  return null
}

/** For a moment after a node was lost and another took the call over. */
function Moved() {
  const { t } = useLingui()
  const movedAt = useAgent((state) => state.calls.find((call) => call.movedAt !== undefined && call.state !== 'wrap_up')?.movedAt)
  const now = useSiteNow(movedAt === undefined ? 0 : 1_000)
  if (movedAt === undefined || now - movedAt > 10_000) return null
  return (
    <Notice tone="off" title={t`Your call moved to another node.`}>
      <Trans>The sound paused for a moment. Nothing has to be done.</Trans>
    </Notice>
  )
}

function LostOffer() {
  const { i18n, t } = useLingui()
  const session = useSession()
  const lost = useAgent((state) => state.lostOffer)
  const ringing = useAgent((state) => state.calls.length > 0)
  const reason = useAgent((state) => state.agent?.reason ?? '')
  const word = lost && lostOfferWord(lost.reason || (reason === 'no_answer' || reason === 'rejected' ? reason : ''))
  if (!lost || !word || ringing) return null
  const caller = lost.call.caller ? formatPhone(lost.call.caller) : t`a withheld number`
  return (
    <Notice
      tone="warning"
      title={t`Missed: call from ${caller}`}
      action={
        <Button size="xs" variant="default" onClick={() => session.dismissLostOffer()}>
          <Trans>Close</Trans>
        </Button>
      }
    >
      <span data-testid="lost-offer">{i18n._(word)}</span>
    </Notice>
  )
}

/** True for ms after the moment. */
function useRecently(at: number | undefined, ms: number): boolean {
  const [recent, setRecent] = useState(false)
  useEffect(() => {
    if (at === undefined) return setRecent(false)
    const left = at + ms - Date.now()
    setRecent(left > 0)
    const timer = setTimeout(() => setRecent(false), Math.max(0, left))
    return () => clearTimeout(timer)
  }, [at, ms])
  return recent
}
