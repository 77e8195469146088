import { IconChevronLeft } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { Fragment, type ReactNode, useEffect, useId } from 'react'
import { Skeleton } from './emptiness'
import classes from './layout.module.css'

const join = (...names: (string | false | undefined)[]) => names.filter(Boolean).join(' ')

export interface PageProps {
  title: string
  /** One line: why this page exists. */
  why?: ReactNode
  /** The primary action, at the right. */
  action?: ReactNode
  /** State of the shown thing, beside the title. */
  status?: ReactNode
  /** Filters; their values belong in the address bar. */
  filters?: ReactNode
  /** `keepSearch` goes back to the list as it was filtered; the page then carries the list's address values in its own. */
  back?: { to: string; label: string; keepSearch?: boolean }
  /** `form` limits the width to what is comfortable to read and fill in. */
  width?: 'full' | 'form'
  children: ReactNode
}

/** The frame of every page: title, one line of why, primary action at the right, filters, content, nothing else. */
export function Page({ title, why, action, status, filters, back, width = 'full', children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Trunkline`
  }, [title])
  return (
    <div className={join(classes.page, width === 'form' && classes.narrow)}>
      <header className={classes.head}>
        <div className={classes.titles}>
          {back && (
            <Link to={back.to} search={(back.keepSearch ? true : {}) as never} className={classes.back}>
              <IconChevronLeft size={14} aria-hidden />
              {back.label}
            </Link>
          )}
          <div className={join(classes.row, classes.normal, classes.wrap)}>
            <h1 className={classes.title}>{title}</h1>
            {status}
          </div>
          {why && <p className={classes.why}>{why}</p>}
        </div>
        {action && <div className={classes.actions}>{action}</div>}
      </header>
      {filters && <div className={classes.filters}>{filters}</div>}
      {children}
    </div>
  )
}

/** A page whose code or person is not known yet: where its title and lines will be. */
export const PageSkeleton = () => (
  <div className={classes.page}>
    <Skeleton rows={8} />
  </div>
)

/** A titled part of a page. */
export function Section({ title, why, action, children }: Pick<PageProps, 'title' | 'why' | 'action' | 'children'>) {
  const id = useId()
  return (
    <section className={classes.section} aria-labelledby={id}>
      <div className={classes.head}>
        <div className={classes.titles}>
          <h2 id={id} className={classes.sectionTitle}>
            {title}
          </h2>
          {why && <p className={classes.why}>{why}</p>}
        </div>
        {action && <div className={classes.actions}>{action}</div>}
      </div>
      {children}
    </section>
  )
}

type Gap = 'tight' | 'normal' | 'wide' | 'loose'

/** Things below each other. Gaps: tight 4, normal 8, wide 16, loose 24 px. */
export const Stack = ({ gap = 'normal', children }: { gap?: Gap; children: ReactNode }) => (
  <div className={join(classes.stack, classes[gap])}>{children}</div>
)

/** Things beside each other, centred; `between` pushes them apart, `end` to the right. */
export const Row = ({
  gap = 'normal',
  place,
  wrap = true,
  children,
}: {
  gap?: Gap
  place?: 'between' | 'end'
  wrap?: boolean
  children: ReactNode
}) => <div className={join(classes.row, classes[gap], place && classes[place], wrap && classes.wrap)}>{children}</div>

/** Equal columns, as many as fit with at least `min` pixels each, `most` at most. */
export const Columns = ({ min = 150, most = 4, children }: { min?: number; most?: number; children: ReactNode }) => (
  <div className={classes.columns} style={{ '--columns-min': `${min}px`, '--columns-most': most } as React.CSSProperties}>
    {children}
  </div>
)

/** What is edited at the left, what comes of it at the right; below each other where there is no room. */
export const SideBySide = ({ children }: { children: ReactNode }) => <div className={classes.sideBySide}>{children}</div>

/** A bordered area. */
export const Box = ({ children }: { children: ReactNode }) => <div className={classes.box}>{children}</div>

/** Secondary text, 12 px. */
export const Meta = ({ children }: { children: ReactNode }) => <span className={classes.meta}>{children}</span>

/** One line, cut with an ellipsis; the whole text on hover. */
export const Clip = ({ children }: { children: string }) => (
  <span className={classes.clip} title={children}>
    {children}
  </span>
)

/** Names and values, as a definition list. Entries that are false or undefined are left out. */
export function Facts({ of }: { of: ([label: string, value: ReactNode] | false | undefined)[] }) {
  return (
    <dl className={classes.facts}>
      {of.map(
        (entry) =>
          entry && (
            <Fragment key={entry[0]}>
              <dt>{entry[0]}</dt>
              <dd>{entry[1]}</dd>
            </Fragment>
          ),
      )}
    </dl>
  )
}
