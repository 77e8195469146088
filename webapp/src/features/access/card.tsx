import type { ReactNode } from 'react'
import { useEffect } from 'react'
import classes from './access.module.css'

/** One question on one card: every page before the sign-in. */
export function AccessCard({
  title,
  why,
  foot,
  children,
}: {
  title: string
  why?: ReactNode
  foot?: ReactNode
  children?: ReactNode
}) {
  useEffect(() => {
    document.title = `${title} · Trunkline`
  }, [title])
  return (
    <>
      <section className={classes.card}>
        <header>
          <h1 className={classes.title}>{title}</h1>
          {why && <p className={classes.why}>{why}</p>}
        </header>
        {children}
      </section>
      {foot && <div className={classes.foot}>{foot}</div>}
    </>
  )
}

export const Or = ({ children }: { children: ReactNode }) => <div className={classes.or}>{children}</div>
