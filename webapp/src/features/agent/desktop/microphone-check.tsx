import { Trans, useLingui } from '@lingui/react/macro'
import { Button, NativeSelect } from '@mantine/core'
import { IconVolume } from '@tabler/icons-react'
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react'
import { Section, Stack, type Tone, toneIcon, toneStyle } from '@/ui'
import type { MicrophoneProblem } from '../session/state'
import { chooseMicrophone, chosenMicrophone, openMicrophone, problemOf } from '../softphone/microphone'
import { measureLevel, playTone } from '../softphone/preflight'
import { chooseSpeaker, chosenSpeaker } from '../softphone/speaker'
import { show } from './desk'
import classes from './desktop.module.css'
import { problemWords } from './problem-words'
import { useAgent } from './use-agent'

/** Everything a call needs of this computer, checked before a caller waits: permission, device, level, loudspeaker, way to the site. */
export function MicrophoneCheck() {
  const { i18n, t } = useLingui()
  const [chosen, setChosen] = useState(() => chosenMicrophone() ?? '')
  const { track, problem, again } = useMicrophone(chosen)
  const { microphones, speakers } = useDevices(track)
  const [speaker, setSpeaker] = useState(chosenSpeaker)
  const words = problem && problemWords[problem]
  return (
    <Section
      title={t`Microphone and connection`}
      why={t`Speak while you look at the level; a caller should never be the one to find out.`}
      action={
        <Button variant="default" onClick={() => show('work')} data-testid="check-close">
          <Trans>Back to work</Trans>
        </Button>
      }
    >
      <div data-testid="preflight">
        <Check tone={track ? 'ready' : words ? 'breach' : 'off'} name={t`Microphone`} id="microphone">
          {words ? (
            <>
              {i18n._(words.what)} {i18n._(words.fix)}
            </>
          ) : (
            track?.label || t`Asking the browser`
          )}
          {problem && (
            <Button size="xs" mt={8} display="block" variant="default" onClick={again}>
              <Trans>Check again</Trans>
            </Button>
          )}
        </Check>
        <Level track={track} />
        <Site />
      </div>
      <Stack>
        <NativeSelect
          label={t`Use this microphone`}
          data-testid="microphone-select"
          value={chosen}
          onChange={(event) => {
            chooseMicrophone(event.currentTarget.value)
            setChosen(event.currentTarget.value)
          }}
          data={options(microphones, t`As the system`)}
        />
        <NativeSelect
          label={t`Hear callers through`}
          data-testid="speaker-select"
          value={speaker}
          onChange={(event) => {
            chooseSpeaker(event.currentTarget.value)
            setSpeaker(event.currentTarget.value)
          }}
          data={options(speakers, t`As the system`)}
        />
        <div>
          <Button
            variant="default"
            leftSection={<IconVolume size={16} aria-hidden />}
            onClick={() => void playTone(speaker).catch(() => undefined)}
          >
            <Trans>Play a tone</Trans>
          </Button>
        </div>
      </Stack>
    </Section>
  )
}

/** The system's choice, and each device with a name; ids the browser hides until permission is given are left out. */
function options(devices: MediaDeviceInfo[], system: string) {
  const named = devices.filter(({ deviceId }) => deviceId !== '' && deviceId !== 'default')
  return [{ value: '', label: system }, ...named.map(({ deviceId, label }, i) => ({ value: deviceId, label: label || `${i + 1}` }))]
}

function Check({ tone, name, id, children }: { tone: Tone; name: string; id: string; children: ReactNode }) {
  const Shown = toneIcon(tone)
  return (
    <div className={classes.check} style={toneStyle(tone)} data-testid={`check-${id}`} data-tone={tone}>
      <Shown size={16} aria-hidden />
      <p className={classes.checkName}>{name}</p>
      <p>{children}</p>
    </div>
  )
}

/** Heard once is good enough: silence between words is no fault. */
function Level({ track }: { track?: MediaStreamTrack }) {
  const { t } = useLingui()
  const bar = useRef<HTMLDivElement>(null)
  const [heard, setHeard] = useState(false)
  useEffect(() => {
    setHeard(false)
    if (!track) return
    return measureLevel(track, (level) => {
      if (bar.current) bar.current.style.width = `${Math.round(level * 100)}%`
      if (level > 0.35) setHeard(true)
    })
  }, [track])
  return (
    <div
      className={classes.check}
      style={toneStyle(heard ? 'ready' : 'off')}
      data-testid="check-level"
      data-tone={heard ? 'ready' : 'off'}
    >
      {heard ? <ReadyIcon size={16} aria-hidden /> : <OffIcon size={16} aria-hidden />}
      <p className={classes.checkName}>{t`Level`}</p>
      <div className={classes.level}>
        <div ref={bar} className={classes.levelFill} style={{ width: 0 }} />
      </div>
      <p>
        {heard ? (
          <Trans>You are heard.</Trans>
        ) : (
          <Trans>
            Say something. If the bar does not move, the headset's own mute button may be on, or another microphone is chosen.
          </Trans>
        )}
      </p>
    </div>
  )
}

const ReadyIcon = toneIcon('ready')
const OffIcon = toneIcon('off')

/** The streams that carry offers are the proof that the site is reached. */
function Site() {
  const { t } = useLingui()
  const links = useAgent((state) => state.links)
  const remote = useAgent((state) => state.role === 'remote')
  const alive = links.filter((link) => link.alive)
  const names = alive.map(({ name }) => name).join(', ')
  const tone = alive.length === 0 ? 'breach' : alive.length < links.length ? 'warning' : 'ready'
  return (
    <Check tone={tone} name={t`Way to the site`} id="site">
      {alive.length === 0 ? (
        <Trans>
          No node answers. Check the network cable or Wi-Fi, and that a VPN or firewall lets the site's address through.
        </Trans>
      ) : (
        <Trans>Reached: {names}.</Trans>
      )}{' '}
      {alive.length === 1 && links.length > 1 && <Trans>One more node is being tried.</Trans>}
      {remote && <Trans>Measured in the tab that has your calls.</Trans>}
    </Check>
  )
}

function useMicrophone(chosen: string) {
  const [found, setFound] = useState<{ track?: MediaStreamTrack; problem?: MicrophoneProblem }>({})
  const [round, setRound] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round asks again
  useEffect(() => {
    let left = false
    let open: MediaStreamTrack | undefined
    setFound({})
    const devices = navigator.mediaDevices
    if (!devices) return setFound({ problem: 'insecure' })
    openMicrophone(devices, chosen || undefined).then(
      (track) => {
        if (left) return track.stop()
        open = track
        setFound({ track })
      },
      (error: unknown) => left || setFound({ problem: problemOf(error) }),
    )
    return () => {
      left = true
      open?.stop()
    }
  }, [chosen, round])
  return { ...found, again: useCallback(() => setRound((n) => n + 1), []) }
}

/** Names are only given once the microphone is allowed: asked again when it opens. */
function useDevices(track: MediaStreamTrack | undefined) {
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([])
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    const media = navigator.mediaDevices
    if (!media) return
    const look = () => void media.enumerateDevices().then(setDevices, () => undefined)
    look()
    media.addEventListener('devicechange', look)
    return () => media.removeEventListener('devicechange', look)
  }, [track])
  const of = (kind: MediaDeviceKind) => devices.filter((device) => device.kind === kind)
  return { microphones: of('audioinput'), speakers: of('audiooutput') }
}
