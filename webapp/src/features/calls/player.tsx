import { Trans, useLingui } from '@lingui/react/macro'
import { Button, SegmentedControl, Select, useComputedColorScheme } from '@mantine/core'
import { IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import type { Waveform as WaveformData } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { formatDuration, Notice, Row, Stack, tokensOf } from '@/ui'
import { Waveform } from '@/ui/waveform'
import classes from './calls.module.css'

type Side = 'both' | 'caller' | 'agent'
const speeds = ['0.75', '1', '1.25', '1.5', '2']

interface Props {
  waveform: WaveformData
  url: string
  /** Gives a new address when the old one ran out. */
  renew: () => Promise<string | undefined>
}

/** Plays a recording: both sides or one of them, at the speed one can follow. */
export function Player({ waveform, url, renew }: Props) {
  const { t } = useLingui()
  const scheme = useComputedColorScheme('light')
  const { series } = tokensOf(scheme)
  const audio = useRef<HTMLAudioElement>(null)
  const [playing, setPlaying] = useState(false)
  const [position, setPosition] = useState(0)
  const [speed, setSpeed] = useState('1')
  const [side, setSide] = useState<Side>('both')
  const [failed, setFailed] = useState(false)
  const listen = useSides(audio, side)
  const durationMs = Number(waveform.durationMs)
  useFollow(audio, playing, setPosition)

  const seek = (ms: number) => {
    if (audio.current) audio.current.currentTime = ms / 1000
    setPosition(ms)
  }
  const toggle = async () => {
    const element = audio.current
    if (!element) return
    if (!element.paused) return element.pause()
    listen()
    element.playbackRate = Number(speed)
    await element.play().catch(() => setFailed(true))
  }
  /** The address works for ten minutes; a longer look needs another, at the same place. */
  const again = async () => {
    const [element, next] = [audio.current, await renew()]
    if (!element || !next || next === element.getAttribute('src')) return setFailed(true)
    element.src = next
    element.currentTime = position / 1000
    setFailed(false)
  }
  return (
    <Stack>
      {/* biome-ignore lint/a11y/useMediaCaption: a telephone call has no captions; its words are not known */}
      <audio
        ref={audio}
        src={url}
        preload="metadata"
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onError={() => void again()}
        data-testid="recording-audio"
      />
      <Waveform
        durationMs={durationMs}
        positionMs={position}
        onSeek={seek}
        channels={[
          { name: t`Caller`, peaks: waveform.caller, color: series[0] ?? '' },
          { name: t`Agent`, peaks: waveform.agent, color: series[2] ?? '' },
        ]}
      />
      <Row gap="wide">
        <Button
          leftSection={playing ? <IconPlayerPause size={16} aria-hidden /> : <IconPlayerPlay size={16} aria-hidden />}
          onClick={() => void toggle()}
          data-testid="play"
        >
          {playing ? <Trans>Pause</Trans> : <Trans>Play</Trans>}
        </Button>
        <span className={classes.clock}>
          {formatDuration(position)} / {formatDuration(durationMs)}
        </span>
        <SegmentedControl
          aria-label={t`Hear`}
          value={side}
          onChange={(value) => setSide(value as Side)}
          data={[
            { value: 'both', label: t`Both` },
            { value: 'caller', label: t`Caller` },
            { value: 'agent', label: t`Agent` },
          ]}
        />
        <Select
          aria-label={t`Speed`}
          w={90}
          allowDeselect={false}
          value={speed}
          onChange={(value) => {
            setSpeed(value ?? '1')
            if (audio.current) audio.current.playbackRate = Number(value ?? 1)
          }}
          data={speeds.map((value) => ({ value, label: `${value}×` }))}
        />
      </Row>
      {failed && (
        <Notice tone="breach" title={t`The recording could not be played.`}>
          <Trans>Reload the page; if it stays, tell support the address of this page.</Trans>
        </Notice>
      )}
    </Stack>
  )
}

/** The cursor moves with the screen while it plays, and comes to rest where it was paused. */
function useFollow(audio: React.RefObject<HTMLAudioElement | null>, playing: boolean, told: (ms: number) => void) {
  useEffect(() => {
    const look = () => told((audio.current?.currentTime ?? 0) * 1000)
    if (!playing) return
    let frame = requestAnimationFrame(function next() {
      look()
      frame = requestAnimationFrame(next)
    })
    return () => {
      cancelAnimationFrame(frame)
      look()
    }
  }, [audio, playing, told])
}

/**
 * The left channel is the caller, the right what the caller heard. Each side goes to both ears, so that nobody listens to a call
 * in one ear. The result must be called from a click before playing: browsers start sound only then.
 */
function useSides(audio: React.RefObject<HTMLAudioElement | null>, side: Side): () => void {
  const graph = useRef<{ context: AudioContext; gains: [GainNode, GainNode] }>(undefined)
  const apply = () => {
    const [left, right] = graph.current?.gains ?? []
    if (left) left.gain.value = side === 'agent' ? 0 : 1
    if (right) right.gain.value = side === 'caller' ? 0 : 1
  }
  useEffect(apply, [side])
  useEffect(() => () => void graph.current?.context.close(), [])
  return () => {
    if (!graph.current && audio.current) {
      const context = new AudioContext()
      const splitter = context.createChannelSplitter(2)
      const gains: [GainNode, GainNode] = [context.createGain(), context.createGain()]
      const mono = context.createGain()
      mono.channelCount = 1
      mono.channelCountMode = 'explicit'
      context.createMediaElementSource(audio.current).connect(splitter)
      splitter.connect(gains[0], 0).connect(mono)
      splitter.connect(gains[1], 1).connect(mono)
      mono.connect(context.destination)
      graph.current = { context, gains }
    }
    void graph.current?.context.resume()
    apply()
  }
}
