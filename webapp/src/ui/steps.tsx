import { useLingui } from '@lingui/react/macro'
import { IconCircle, IconCircleCheck, IconCircleMinus } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import classes from './steps.module.css'

interface StepsProps {
  label: string
  steps: { id: string; title: string; status: 'open' | 'done' | 'skipped' }[]
  chosen: string
  onChoose: (id: string) => void
  /** Of the chosen step. */
  title: string
  why?: ReactNode
  action?: ReactNode
  children: ReactNode
}

/** A checklist at the left, the chosen step at the right. */
export function Steps({ label, steps, chosen, onChoose, title, why, action, children }: StepsProps) {
  const { t } = useLingui()
  const words = { open: t`open`, done: t`done`, skipped: t`skipped` }
  const icons = { open: IconCircle, done: IconCircleCheck, skipped: IconCircleMinus }
  return (
    <div className={classes.frame}>
      <nav aria-label={label}>
        <ol className={classes.list}>
          {steps.map(({ id, title: name, status }) => {
            const Shown = icons[status]
            return (
              <li key={id}>
                <button
                  type="button"
                  className={classes.step}
                  data-status={status}
                  aria-current={id === chosen ? 'step' : undefined}
                  onClick={() => onChoose(id)}
                >
                  <Shown size={18} aria-hidden />
                  <span>
                    {name}
                    <small>{words[status]}</small>
                  </span>
                </button>
              </li>
            )
          })}
        </ol>
      </nav>
      <section className={classes.body} aria-label={title}>
        <header className={classes.head}>
          <div>
            <h2 className={classes.title}>{title}</h2>
            {why && <p className={classes.why}>{why}</p>}
          </div>
          {action}
        </header>
        {children}
      </section>
    </div>
  )
}

interface ChoicesProps {
  label: string
  value: string
  onChange: (value: string) => void
  choices: { value: string; title: string; text: string }[]
}

/** A few ways to go, each with what it means; radio buttons to keyboard and reader. */
export function Choices({ label, value, onChange, choices }: ChoicesProps) {
  return (
    <fieldset className={classes.choices}>
      <legend className={classes.legend}>{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} className={classes.choice}>
          <input
            type="radio"
            name={label}
            value={choice.value}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
          />
          <span>
            <strong>{choice.title}</strong>
            <span>{choice.text}</span>
          </span>
        </label>
      ))}
    </fieldset>
  )
}
