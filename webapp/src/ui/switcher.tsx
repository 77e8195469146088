import { SegmentedControl } from '@mantine/core'

interface SwitcherProps<T extends string> {
  label: string
  value: T
  onChange: (value: T) => void
  options: { value: T; label: string }[]
}

/** Views of one page, or another choice of a few short words. Keep the value in the address bar. */
export const Switcher = <T extends string>({ label, value, onChange, options }: SwitcherProps<T>) => (
  <SegmentedControl size="xs" aria-label={label} value={value} onChange={(next) => onChange(next as T)} data={options} />
)
