import { Trans, useLingui } from '@lingui/react/macro'
import { Popover } from '@mantine/core'
import { Facts, Stack, StatusBadge, type Tone, toneStyle } from '@/ui'
import type { Quality } from '../session/state'
import classes from './desktop.module.css'
import { useAgent } from './use-agent'

const tones: Record<Quality['grade'], Tone> = { good: 'ready', fair: 'warning', poor: 'breach' }

/** How good the line is; pressed, the figures and what to do about them. */
export function QualityDot({ callId }: { callId: string }) {
  const { t } = useLingui()
  const leg = useAgent((state) => state.audio.legs[callId])
  if (!leg) return null
  if (leg.state !== 'connected') {
    return (
      <StatusBadge tone={leg.state === 'interrupted' ? 'breach' : 'warning'}>
        <span data-testid="audio-state">
          {leg.state === 'interrupted' ? <Trans>Audio interrupted, reconnecting</Trans> : <Trans>Connecting audio</Trans>}
        </span>
      </StatusBadge>
    )
  }
  const { quality } = leg
  const words = { good: t`Good line`, fair: t`Fair line`, poor: t`Poor line` }
  const tone = quality ? tones[quality.grade] : 'ready'
  return (
    <Popover position="bottom" width={300} zIndex={500} shadow="md">
      <Popover.Target>
        <button
          type="button"
          className={classes.quality}
          style={toneStyle(tone)}
          data-testid="audio-quality"
          data-audio="connected"
        >
          <span className={classes.dot} aria-hidden />
          {quality ? words[quality.grade] : <Trans>Audio connected</Trans>}
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack>
          {quality && (
            <Facts
              of={[
                [t`Lost packets`, `${quality.loss} %`],
                [t`Jitter`, t`${quality.jitter} ms`],
                [t`Round trip`, t`${quality.rtt} ms`],
              ]}
            />
          )}
          <p className={classes.quiet}>
            {!quality || quality.grade === 'good' ? (
              <Trans>Nothing to do: the caller hears you well.</Trans>
            ) : quality.rtt > 250 && quality.loss < 1.5 ? (
              <Trans>The way to the site is long. Leave a VPN that you do not need, or use the office network.</Trans>
            ) : (
              <Trans>Packets get lost. Use a cable instead of Wi-Fi, stop large downloads, move closer to the access point.</Trans>
            )}
          </p>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
