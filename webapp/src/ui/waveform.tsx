import { useLingui } from '@lingui/react/macro'
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react'
import { formatDuration } from './figures'
import classes from './waveform.module.css'

export interface WaveformProps {
  /** Peaks 0..255 of each channel, over the same time. */
  channels: { name: string; peaks: Uint8Array; color: string }[]
  durationMs: number
  positionMs: number
  onSeek: (ms: number) => void
}

/** What was said when, each channel in a lane of its own. A slider: click, drag, or the arrow keys (5 s; with Shift 30 s). */
export function Waveform({ channels, durationMs, positionMs, onSeek }: WaveformProps) {
  const { t } = useLingui()
  const [dragging, setDragging] = useState(false)
  const seekTo = (event: PointerEvent<HTMLDivElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect()
    onSeek(Math.min(1, Math.max(0, (event.clientX - left) / width)) * durationMs)
  }
  const keys = (event: KeyboardEvent) => {
    const step = event.shiftKey ? 30_000 : 5_000
    const to = {
      ArrowRight: positionMs + step,
      ArrowUp: positionMs + step,
      ArrowLeft: positionMs - step,
      ArrowDown: positionMs - step,
      Home: 0,
      End: durationMs,
    }[event.key]
    if (to === undefined) return
    event.preventDefault()
    onSeek(Math.min(durationMs, Math.max(0, to)))
  }
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label={t`Position in the recording`}
      aria-valuemin={0}
      aria-valuemax={Math.round(durationMs / 1000)}
      aria-valuenow={Math.round(positionMs / 1000)}
      aria-valuetext={formatDuration(positionMs)}
      className={classes.waveform}
      onKeyDown={keys}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        setDragging(true)
        seekTo(event)
      }}
      onPointerMove={(event) => dragging && seekTo(event)}
      onPointerUp={() => setDragging(false)}
      data-testid="waveform"
    >
      {channels.map((channel) => (
        <div key={channel.name} className={classes.lane}>
          <span className={classes.name}>{channel.name}</span>
          <Lane peaks={channel.peaks} color={channel.color} />
        </div>
      ))}
      <div
        className={classes.cursor}
        style={{ insetInlineStart: `${durationMs > 0 ? (100 * positionMs) / durationMs : 0}%` }}
        aria-hidden
      />
    </div>
  )
}

/** Drawn once per size and scheme; the cursor moves above it. */
function Lane({ peaks, color }: { peaks: Uint8Array; color: string }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const element = canvas.current
    if (!element) return
    const redraw = () => draw(element, peaks, color)
    redraw()
    const sizes = new ResizeObserver(redraw)
    sizes.observe(element)
    return () => sizes.disconnect()
  }, [peaks, color])
  return <canvas ref={canvas} className={classes.canvas} aria-hidden />
}

function draw(canvas: HTMLCanvasElement, peaks: Uint8Array, color: string): void {
  const scale = window.devicePixelRatio || 1
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)]
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext('2d')
  if (!context || width === 0) return
  context.fillStyle = color
  const bar = Math.max(1, Math.round(2 * scale))
  for (const [x, level] of bars(peaks, Math.ceil(width / (bar + 1))).entries()) {
    const size = Math.max(scale, level * height)
    context.fillRect(x * (bar + 1), (height - size) / 2, bar, size)
  }
}

/** The loudest of each slice, 0 to 1. The root makes quiet speech visible beside loud. */
export function bars(peaks: Uint8Array, count: number): number[] {
  if (peaks.length === 0) return Array.from({ length: count }, () => 0)
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * peaks.length) / count)
    const to = Math.max(from + 1, Math.floor(((i + 1) * peaks.length) / count))
    let loudest = 0
    for (let p = from; p < to && p < peaks.length; p++) loudest = Math.max(loudest, peaks[p] ?? 0)
    return Math.sqrt(loudest / 255)
  })
}
