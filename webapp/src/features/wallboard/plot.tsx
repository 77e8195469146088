import { useLingui } from '@lingui/react/macro'
import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { tokensOf } from '@/ui'
import classes from './wallboard.module.css'

export interface Line {
  name: string
  color: string
  /** Undefined is nothing measured: a gap, never a zero. */
  values: (number | undefined)[]
  bars?: boolean
  dashed?: boolean
}

interface PlotProps {
  /** Read out in place of the picture. */
  label: string
  /** Milliseconds; each value is of the time from there to the next. */
  times: number[]
  lines: Line[]
  zone: string
  /** The end of the scale; else that of the values. */
  max?: number
}

/** Values over the day. As large as its frame, with letters of the frame's size, so that it grows on a wall. */
export function Plot({ label, times, lines, zone, max }: PlotProps) {
  const { i18n } = useLingui()
  const scheme = useComputedColorScheme('light')
  const frame = useRef<HTMLDivElement>(null)
  const drawn = useRef({ times, lines })
  drawn.current = { times, lines }
  const plot = useRef<uPlot>(undefined)
  const names = lines.map(({ name }) => name).join()

  // biome-ignore lint/correctness/useExhaustiveDependencies: names and times' number stand for what must be made anew
  useEffect(() => {
    const element = frame.current
    if (!element) return
    const draw = () => {
      plot.current?.destroy()
      const options = optionsOf(element, drawn.current, { scheme, locale: i18n.locale, zone, max })
      plot.current = new uPlot(options, dataOf(drawn.current), element)
    }
    // A canvas takes neither a font that comes late nor a new size by itself.
    const sizes = new ResizeObserver(draw)
    sizes.observe(element)
    void document.fonts.ready.then(() => plot.current && draw())
    return () => {
      sizes.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [scheme, i18n.locale, zone, max, names])

  useEffect(() => {
    plot.current?.setData(dataOf({ times, lines }))
  }, [times, lines])

  return <div ref={frame} className={classes.plot} role="img" aria-label={label} />
}

const dataOf = ({ times, lines }: Pick<PlotProps, 'times' | 'lines'>): uPlot.AlignedData => [
  times.map((ms) => ms / 1000),
  ...lines.map(({ values }) => values.map((value) => value ?? null)),
]

/** Seconds from one time to the next. */
const lengthOf = ([first = 0, second = first]: number[]) => (second - first) / 1000

interface Look {
  scheme: 'light' | 'dark'
  locale: string
  zone: string
  max?: number
}

function optionsOf(
  element: HTMLElement,
  { times, lines }: Pick<PlotProps, 'times' | 'lines'>,
  { scheme, locale, zone, max }: Look,
): uPlot.Options {
  const { line, text3 } = tokensOf(scheme)
  const style = getComputedStyle(element)
  const size = Number.parseFloat(style.fontSize)
  const font = `${size}px ${style.fontFamily}`
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: zone })
  const axis = { stroke: text3, font, ticks: { show: false }, border: { show: false } }
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    legend: { show: false },
    cursor: { show: false },
    // Room for the last hour's name, which is centred below its line.
    padding: [size * 0.5, size * 1.75, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    scales: {
      // To the end of the last one: a bar stands right of its time, and the newest is the one people look for.
      x: { range: (_, from, to) => [from, to + lengthOf(times)] },
      y: { range: (_, __, most) => [0, max ?? Math.max(4, Math.ceil(most * 1.1))] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: size * 2,
        space: size * 5,
        values: (_, splits) => splits.map((seconds) => clock.format(seconds * 1000)),
      },
      {
        ...axis,
        grid: { stroke: line, width: 1 },
        size: size * 2.75,
        space: size * 2.5,
        // A call is whole.
        incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000],
      },
    ],
    series: [
      {},
      ...lines.map(
        ({ name, color, bars, dashed }): uPlot.Series => ({
          label: name,
          stroke: color,
          fill: bars ? color : undefined,
          width: bars ? 0 : Math.max(2, size / 8),
          dash: dashed ? [size / 2, size / 3] : undefined,
          points: { show: !bars && !dashed, size: size / 2, fill: color },
          paths: bars ? uPlot.paths.bars?.({ size: [0.7, 64], align: 1 }) : undefined,
        }),
      ),
    ],
  }
}
