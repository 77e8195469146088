import classes from './desktop.module.css'
import { type KeyAction, useBindings } from './keys'

/** The key of an action, on its button. */
export function Key({ of }: { of: KeyAction }) {
  const { on, keys } = useBindings()
  return on ? (
    <kbd className={classes.key} aria-hidden>
      {keys[of]}
    </kbd>
  ) : null
}
