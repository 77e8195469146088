import { Trans, useLingui } from '@lingui/react/macro'
import { Button, Popover } from '@mantine/core'
import { IconDialpad } from '@tabler/icons-react'
import { useState } from 'react'
import classes from './desktop.module.css'
import { Key } from './key'
import { useKeys } from './keys'
import { useCommand } from './use-agent'

const digits = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#']

/** Tones for menus at the other end. The computer's own digits work while it is open. */
export function Keypad({ callId }: { callId: string }) {
  const { t } = useLingui()
  const command = useCommand()
  const [open, setOpen] = useState(false)
  const [sent, setSent] = useState('')
  const press = async (digit: string) => {
    setSent((before) => before + digit)
    if (!(await command({ name: 'digits', callId, digits: digit })))
      setSent((before) => before.replace(new RegExp(`${pattern(digit)}$`), ''))
  }
  useKeys({ keypad: () => setOpen(!open) })
  return (
    <Popover opened={open} onChange={setOpen} trapFocus returnFocus position="bottom" zIndex={500} shadow="md">
      <Popover.Target>
        <Button
          variant="default"
          data-testid="keypad"
          aria-expanded={open}
          leftSection={<IconDialpad size={16} aria-hidden />}
          onClick={() => setOpen(!open)}
        >
          <Trans>Keypad</Trans>
          <Key of="keypad" />
        </Button>
      </Popover.Target>
      <Popover.Dropdown
        aria-label={t`Keypad`}
        onKeyDown={(event) => {
          if (digits.includes(event.key)) void press(event.key)
        }}
      >
        <output className={classes.digits} aria-label={t`Sent digits`} data-testid="sent-digits">
          {sent || '–'}
        </output>
        <div className={classes.keypad}>
          {digits.map((digit) => (
            <Button
              key={digit}
              variant="default"
              px={0}
              data-testid={`digit-${digit}`}
              data-autofocus={digit === '1' || undefined}
              onClick={() => void press(digit)}
            >
              {digit}
            </Button>
          ))}
        </div>
      </Popover.Dropdown>
    </Popover>
  )
}

const pattern = (digit: string) => (digit === '*' ? '\\*' : digit)
