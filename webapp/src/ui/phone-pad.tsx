import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconPhoneOff } from '@tabler/icons-react'
import { Duration } from './figures'
import classes from './phone-pad.module.css'
import { type Tone, toneIcon, toneStyle } from './status'

interface PhoneProps {
  tone: Tone
  title: string
  text?: string
  /** Start of the state; its time runs. */
  since?: Date
  /** Shows the keys. */
  onKey?: (digit: string) => void
  onHangUp?: () => void
}

/** A small telephone: state, time, keys, hang up. */
export function Phone({ tone, title, text, since, onKey, onHangUp }: PhoneProps) {
  const { t } = useLingui()
  const Shown = toneIcon(tone)
  return (
    <section className={classes.phone} aria-label={t`Test call`} style={toneStyle(tone)}>
      <div className={classes.state} role="status">
        <Shown size={18} aria-hidden />
        <span className={classes.title}>{title}</span>
        {since && (
          <span aria-hidden="true">
            <Duration since={since} />
          </span>
        )}
      </div>
      {text && <p className={classes.text}>{text}</p>}
      {onKey && <Keypad onKey={onKey} />}
      {onHangUp && (
        <Button color="red" fullWidth leftSection={<IconPhoneOff size={16} aria-hidden />} onClick={onHangUp}>
          <Trans>Hang up</Trans>
        </Button>
      )}
    </section>
  )
}

/** Twelve keys; also typed on the keyboard while one of them has the focus. */
export function Keypad({ onKey }: { onKey: (digit: string) => void }) {
  const { t } = useLingui()
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: listens for what its buttons let through
    <div className={classes.keys} onKeyDown={(event) => /^[0-9*#]$/.test(event.key) && onKey(event.key)}>
      {[...'123456789*0#'].map((digit) => (
        <button key={digit} type="button" className={classes.key} aria-label={t`Key ${digit}`} onClick={() => onKey(digit)}>
          {digit}
        </button>
      ))}
    </div>
  )
}
