import { Trans } from '@lingui/react/macro'
import { parsePhoneNumberFromString } from 'libphonenumber-js/min'
import classes from './figures.module.css'

/** Grouped as its country writes it: +86 10 1234 5678. What is no E.164 number (an extension, a name) stays as it is. */
export function formatPhone(e164: string): string {
  return parsePhoneNumberFromString(e164)?.formatInternational() ?? e164
}

/** E.164 from what a person typed, or undefined. `country` is assumed for numbers without a plus. */
export function parsePhone(typed: string, country?: 'CN' | 'US' | 'DE' | 'GB'): string | undefined {
  const number = parsePhoneNumberFromString(typed, country)
  return number?.isPossible() ? number.number : undefined
}

/** A phone number, grouped; empty means the caller withheld it. */
export function PhoneNumber({ e164 }: { e164: string }) {
  if (!e164) return <Trans>Withheld</Trans>
  return (
    <span className={classes.tabular} translate="no">
      {formatPhone(e164)}
    </span>
  )
}
