import { useLingui } from '@lingui/react/macro'
import { Select } from '@mantine/core'
import { DatePickerInput } from '@mantine/dates'
import 'dayjs/locale/zh-cn'
import { useState } from 'react'
import { useAddress } from './address'
import { dayOf, type Period, periodKind, periodOf } from './period'

/** The period of the page, kept in its address. `zone` is the company's. */
export function usePeriod(zone: string): Period {
  const [address] = useAddress()
  return periodOf(address, zone)
}

/** Chooses it: a name, or two days. */
export function PeriodFilter({ zone }: { zone: string }) {
  const { t, i18n } = useLingui()
  const [address, setAddress] = useAddress()
  const kind = periodKind(address)
  const [choosing, setChoosing] = useState(false)
  const { from, to } = periodOf(address, zone)
  const shown: [string, string] = [dayOf(from.getTime(), zone), dayOf(to.getTime() - 1, zone)]
  const [partly, setPartly] = useState<[string | null, string | null]>()
  const byDays = kind === 'days' || choosing
  const exact = kind === 'days' && /T/.test(String(address.from))
  const time = new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'short', timeStyle: 'short', timeZone: zone })
  const day = new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'medium', timeZone: 'UTC' })
  const written = (range: [string | null, string | null]) =>
    range.map((text) => (text ? day.format(new Date(`${text}T00:00:00Z`)) : '')).join(' – ')
  return (
    <>
      <Select
        aria-label={t`Period`}
        w={150}
        allowDeselect={false}
        value={byDays ? 'days' : kind}
        data={[
          { value: 'today', label: t`Today` },
          { value: 'yesterday', label: t`Yesterday` },
          { value: 'week', label: t`Last 7 days` },
          { value: 'month', label: t`Last 30 days` },
          { value: 'days', label: t`Other days` },
        ]}
        onChange={(value) => {
          setChoosing(value === 'days')
          setPartly(undefined)
          if (value !== 'days') setAddress({ period: value ?? undefined, from: undefined, to: undefined })
        }}
      />
      {byDays && (
        <DatePickerInput
          type="range"
          aria-label={t`Days`}
          w={exact ? 300 : 230}
          valueFormatter={() => (exact && !partly ? `${time.format(from)} – ${time.format(to)}` : written(partly ?? shown))}
          locale={i18n.locale === 'zh-Hans' ? 'zh-cn' : 'en'}
          weekendDays={[]}
          value={partly ?? shown}
          onChange={(days) => {
            const [first, last] = days
            if (!first || !last) return setPartly(days)
            setPartly(undefined)
            setAddress({ period: undefined, from: first, to: last })
          }}
        />
      )}
    </>
  )
}
