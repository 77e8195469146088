import type { Icon } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import classes from './outline.module.css'

export interface OutlineItem {
  key: string
  icon?: Icon
  /** A short sign instead of an icon, like a key of the telephone. */
  mark?: string
  text: ReactNode
  children?: OutlineItem[]
}

/** Steps below each other, branches indented; plain lists, so that every reader can walk them. */
export function Outline({ label, items }: { label?: string; items: OutlineItem[] }) {
  if (items.length === 0) return null
  return (
    <ol className={classes.list} aria-label={label}>
      {items.map(({ key, icon: Shown, mark, text, children = [] }, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a step can stand twice in one list
        <li key={`${key}/${i}`} className={classes.item}>
          <div className={classes.line}>
            {Shown && <Shown size={16} stroke={1.75} aria-hidden />}
            {mark && <kbd className={classes.mark}>{mark}</kbd>}
            <span>{text}</span>
          </div>
          <Outline items={children} />
        </li>
      ))}
    </ol>
  )
}
