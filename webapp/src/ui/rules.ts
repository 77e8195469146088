import { i18n, type MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import { z } from 'zod'
import { parsePhone } from './phone'

const say =
  ({ id, message }: MessageDescriptor, values?: Record<string, unknown>) =>
  () =>
    i18n._(id, values, { message })

const tooLong = (max: number) => say(msg({ message: 'At most {max} characters.' }), { max })

/**
 * The checks forms share, with messages in the reader's language. They mirror the rules in the protos; the server has the
 * last word.
 */
export const required = (max = 256) =>
  z
    .string()
    .trim()
    .min(1, { error: say(msg`Fill this in.`) })
    .max(max, { error: tooLong(max) })

export const optional = (max = 256) =>
  z
    .string()
    .trim()
    .max(max, { error: tooLong(max) })

export const email = () => required(254).pipe(z.email({ error: say(msg`This is not an e-mail address.`) }))

export const newPassword = () =>
  z
    .string()
    .min(10, { error: say(msg`Use at least 10 characters.`) })
    .max(256, { error: tooLong(256) })

export const password = () =>
  z
    .string()
    .min(1, { error: say(msg`Enter your password.`) })
    .max(256, { error: tooLong(256) })

/** A whole number; an empty field is an error, not zero. */
export const whole = (min: number, max: number) =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d+$/)
          .transform(Number),
      ],
      { error: say(msg`Enter a whole number.`) },
    )
    .pipe(
      z
        .number()
        .int({ error: say(msg`Enter a whole number.`) })
        .min(min, { error: say(msg({ message: 'At least {min}.' }), { min }) })
        .max(max, { error: say(msg({ message: 'At most {max}.' }), { max }) }),
    )

/** Why something was done; goes to the audit log. */
export const reason = () => required(500).pipe(z.string().min(5, { error: say(msg`Say it in a few words.`) }))

/** At least one entry. */
export const someOf = () => z.array(z.string()).min(1, { error: say(msg`Enter at least one.`) })

/** A phone number in any usual writing; the value is E.164. */
export const phone = () =>
  required(32).transform((typed, ctx) => {
    const e164 = parsePhone(typed)
    if (!e164) ctx.addIssue({ code: 'custom', message: say(msg`Write the number with its country code, like +86 10 1234 5678.`)() })
    return e164 ?? z.NEVER
  })

export { z }
