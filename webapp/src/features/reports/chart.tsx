import { useLingui } from '@lingui/react/macro'
import { useComputedColorScheme } from '@mantine/core'
import { BarChart, LineChart } from 'echarts/charts'
import {
  AriaComponent,
  AxisPointerComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
} from 'echarts/components'
import * as echarts from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { useEffect, useMemo, useRef } from 'react'
import { tokensOf } from '@/ui'
import type { Interval, Slot } from '@/ui/intervals'
import classes from './reports.module.css'

echarts.use([
  BarChart,
  LineChart,
  GridComponent,
  TooltipComponent,
  LegendComponent,
  MarkLineComponent,
  AxisPointerComponent,
  AriaComponent,
  SVGRenderer,
])

interface Props {
  slots: Slot[]
  interval: Interval
  /** Per cent. */
  target: number
  zone: string
}

/** Service level above, calls below, over the same time. Two grids rather than two scales in one: neither can be read wrongly. */
export function Chart({ slots, interval, target, zone }: Props) {
  const { i18n, t } = useLingui()
  const scheme = useComputedColorScheme('light')
  const frame = useRef<HTMLDivElement>(null)
  const chart = useRef<echarts.ECharts>(undefined)

  useEffect(() => {
    if (!frame.current) return
    const made = echarts.init(frame.current)
    chart.current = made
    const sizes = new ResizeObserver(() => made.resize())
    sizes.observe(frame.current)
    return () => {
      sizes.disconnect()
      made.dispose()
    }
  }, [])

  const option = useMemo(() => {
    const { text2, text3, line, lineStrong, raised, text, series, tones } = tokensOf(scheme)
    const format = new Intl.DateTimeFormat(
      i18n.locale,
      interval === '1d'
        ? { month: 'short', day: 'numeric', timeZone: zone }
        : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: zone },
    )
    const times = slots.map(({ from }) => format.format(from))
    const words = { level: t`Service level`, offered: t`Offered`, answered: t`Answered`, goal: t`Goal ${target} %` }
    const label = { color: text3, fontSize: 12 }
    const axis = (gridIndex: number, shown: boolean) => ({
      type: 'category' as const,
      gridIndex,
      data: times,
      axisLabel: { ...label, show: shown, hideOverlap: true },
      axisTick: { show: false },
      axisLine: { lineStyle: { color: lineStrong } },
    })
    const value = (gridIndex: number, name: string) => ({
      type: 'value' as const,
      gridIndex,
      name,
      min: 0,
      nameTextStyle: { ...label, align: 'left' as const, padding: [0, 0, 0, -32] },
      axisLabel: label,
      splitLine: { lineStyle: { color: line } },
      splitNumber: 4,
    })
    return {
      animation: false,
      aria: { enabled: true },
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: text2 },
      legend: { top: 0, right: 8, itemGap: 20, itemWidth: 14, itemHeight: 8, textStyle: { color: text2, fontSize: 12 } },
      axisPointer: { link: [{ xAxisIndex: 'all' as const }] },
      tooltip: {
        trigger: 'axis' as const,
        backgroundColor: raised,
        borderColor: lineStrong,
        textStyle: { color: text, fontSize: 12 },
        valueFormatter: (shown: unknown) =>
          typeof shown === 'number' ? new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1 }).format(shown) : '–',
      },
      grid: [
        { left: 40, right: 8, top: 48, height: 130 },
        { left: 40, right: 8, top: 226, height: 110 },
      ],
      xAxis: [axis(0, false), axis(1, true)],
      yAxis: [
        { ...value(0, t`Service level, %`), max: 100, interval: 25 },
        { ...value(1, t`Calls`), minInterval: 1 },
      ],
      series: [
        {
          type: 'line' as const,
          name: words.level,
          xAxisIndex: 0,
          yAxisIndex: 0,
          data: slots.map(({ level }) => level ?? null),
          connectNulls: false,
          symbol: 'circle',
          symbolSize: 5,
          lineStyle: { width: 2 },
          color: series[0],
          markLine: {
            silent: true,
            symbol: 'none',
            lineStyle: { color: tones.warning.solid, type: 'dashed' as const, width: 1.5 },
            label: { formatter: words.goal, color: tones.warning.text, position: 'insideEndTop' as const, fontSize: 12 },
            data: [{ yAxis: target }],
          },
        },
        {
          type: 'bar' as const,
          name: words.offered,
          xAxisIndex: 1,
          yAxisIndex: 1,
          data: slots.map(({ offered }) => offered ?? null),
          color: series[5],
          barMaxWidth: 18,
          barGap: '10%',
        },
        {
          type: 'bar' as const,
          name: words.answered,
          xAxisIndex: 1,
          yAxisIndex: 1,
          data: slots.map(({ answered }) => answered ?? null),
          color: series[0],
          barMaxWidth: 18,
        },
      ],
    }
  }, [slots, interval, target, zone, scheme, i18n, t])

  useEffect(() => {
    chart.current?.setOption(option, { notMerge: true })
  }, [option])

  return (
    <div
      ref={frame}
      className={classes.chart}
      role="img"
      aria-label={t`Service level and calls over time; the table shows the same figures.`}
      data-testid="report-chart"
    />
  )
}
