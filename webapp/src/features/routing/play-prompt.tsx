import { useLingui } from '@lingui/react/macro'
import { ActionIcon } from '@mantine/core'
import { IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import { cloudClient } from '@/api'
import { type Prompt, RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { failed } from '@/ui'

/** Fetches the audio when asked to play, stops when another prompt plays. */
let playing: HTMLAudioElement | undefined

export function PlayPrompt({ prompt, name }: { prompt: Prompt; name: string }) {
  const { t } = useLingui()
  const [state, setState] = useState<'still' | 'loading' | 'playing'>('still')
  const audio = useRef<HTMLAudioElement>(undefined)
  useEffect(() => () => audio.current?.pause(), [])
  const stop = () => {
    audio.current?.pause()
    setState('still')
  }
  const play = async () => {
    setState('loading')
    try {
      const { wav } = await cloudClient(RoutingService).getPromptAudio({ name: prompt.name, language: prompt.language })
      const url = URL.createObjectURL(new Blob([wav as BlobPart], { type: 'audio/wav' }))
      playing?.pause()
      const element = new Audio(url)
      audio.current = element
      playing = element
      element.onpause = () => {
        URL.revokeObjectURL(url)
        setState('still')
      }
      element.onended = element.onpause
      await element.play()
      setState('playing')
    } catch (err) {
      setState('still')
      failed(err)
    }
  }
  return (
    <ActionIcon
      loading={state === 'loading'}
      aria-label={state === 'playing' ? t`Stop ${name}` : t`Play ${name}`}
      onClick={state === 'playing' ? stop : () => void play()}
    >
      {state === 'playing' ? <IconPlayerStop size={16} aria-hidden /> : <IconPlayerPlay size={16} aria-hidden />}
    </ActionIcon>
  )
}
