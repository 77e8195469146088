import { Plural, Trans } from '@lingui/react/macro'
import { Button, VisuallyHidden } from '@mantine/core'
import { IconArrowDown, IconArrowsSort, IconArrowUp } from '@tabler/icons-react'
import { createSortedRowModel, rowSortingFeature, type SortingState, tableFeatures, useTable } from '@tanstack/react-table'
import { type KeyboardEvent, type ReactNode, useMemo, useState } from 'react'
import classes from './table.module.css'

export interface Column<T> {
  id: string
  header: string
  /** The header is read out but not drawn: columns of buttons. */
  quietHeader?: boolean
  cell: (row: T) => ReactNode
  /** What to sort by; a column without it is not sortable. Only loaded rows are sorted. */
  sort?: (row: T) => string | number | bigint | Date | undefined
  /** Figures and actions stand at the end. */
  align?: 'end'
  width?: number | string
}

export interface TableProps<T> {
  /** Read out as the table's name. */
  label: string
  columns: Column<T>[]
  rows: readonly T[]
  rowKey: (row: T) => string
  /** Enter or a click on a row. Rows are then reached with the arrow keys. */
  onOpen?: (row: T) => void
  selected?: string
  sortBy?: { id: string; desc?: boolean }
  /** Shown instead of the table when there are no rows. */
  empty: ReactNode
  /** Paging: the button below loads the next page. */
  more?: { hasMore: boolean; loading: boolean; load: () => void }
  /** Limits the height, so that the head stays in sight while the rows scroll. */
  maxHeight?: number | string
  /** Leaves out the count below. */
  quiet?: boolean
}

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() })
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return collator.compare(a, b)
  const [x, y] = [a instanceof Date ? a.getTime() : a, b instanceof Date ? b.getTime() : b] as [number, number]
  return x < y ? -1 : x > y ? 1 : 0
}

/** Rows of one kind: sticky head, sorting, keyboard, load more. */
export function Table<T extends object>(props: TableProps<T>) {
  const { label, columns, rows, rowKey, onOpen, selected, sortBy, empty, more, maxHeight, quiet } = props
  const [sorting, setSorting] = useState<SortingState>(sortBy ? [{ id: sortBy.id, desc: sortBy.desc ?? false }] : [])
  const defs = useMemo(
    () =>
      columns.map((column) => ({
        id: column.id,
        accessorFn: (row: T) => column.sort?.(row),
        enableSorting: column.sort !== undefined,
        sortUndefined: 'last' as const,
        sortFn: (a: { getValue: (id: string) => unknown }, b: { getValue: (id: string) => unknown }, id: string) =>
          compare(a.getValue(id), b.getValue(id)),
      })),
    [columns],
  )
  const table = useTable({
    features,
    columns: defs,
    data: rows as T[],
    getRowId: rowKey,
    state: { sorting },
    onSortingChange: setSorting,
    enableMultiSort: false,
  })
  if (rows.length === 0 && !more?.hasMore) return empty
  return (
    <div>
      <section
        className={classes.frame}
        style={{ '--table-max': maxHeight } as React.CSSProperties}
        tabIndex={maxHeight ? 0 : undefined}
        // No landmark, or it would be a second one of its section's name; one that scrolls takes the focus, and needs a name.
        aria-label={maxHeight ? label : undefined}
      >
        <table className={classes.table} aria-label={label}>
          <thead>
            <tr>
              {columns.map((column) => (
                <Head
                  key={column.id}
                  column={column}
                  sorted={sorting[0]?.id === column.id ? sorting[0] : undefined}
                  onSort={() => table.getColumn(column.id)?.toggleSorting()}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {table.getRowModel().rows.map((row, index) => (
              <tr
                key={row.id}
                className={onOpen ? `${classes.row} ${classes.opens}` : classes.row}
                aria-selected={selected === undefined ? undefined : selected === row.id}
                tabIndex={onOpen ? (index === 0 ? 0 : -1) : undefined}
                onClick={onOpen && ((event) => ownControl(event.target) || onOpen(row.original))}
                onKeyDown={onOpen && ((event) => rowKeys(event, () => onOpen(row.original)))}
              >
                {columns.map((column) => (
                  <Cell key={column.id} column={column} shown={column.cell(row.original)} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {!quiet && (
        <div className={classes.foot}>
          <span>
            {more?.hasMore ? (
              <Plural value={rows.length} one="# row loaded" other="# rows loaded" />
            ) : (
              <Plural value={rows.length} one="# row" other="# rows" />
            )}
          </span>
          {more && <LoadMore {...more} />}
        </div>
      )}
    </div>
  )
}

/** Where the table has no room, rows become short paragraphs: figures then carry their name, and dashes are left out. */
function Cell<T>({ column, shown }: { column: Column<T>; shown: ReactNode }) {
  return (
    <td
      className={column.align ? `${classes.cell} ${classes.right}` : classes.cell}
      data-label={column.align && !column.quietHeader ? column.header : undefined}
      data-nothing={shown === '–' || undefined}
    >
      {shown}
    </td>
  )
}

/** The next page of a list; nothing when there is none. */
export const LoadMore = ({ hasMore, loading, load }: { hasMore: boolean; loading: boolean; load: () => void }) =>
  hasMore && (
    <Button size="xs" variant="default" loading={loading} onClick={load}>
      <Trans>Load more</Trans>
    </Button>
  )

function Head<T>({ column, sorted, onSort }: { column: Column<T>; sorted?: { desc: boolean }; onSort: () => void }) {
  const Arrow = sorted ? (sorted.desc ? IconArrowDown : IconArrowUp) : IconArrowsSort
  return (
    <th
      scope="col"
      style={{ width: column.width }}
      className={column.align ? `${classes.head} ${classes.right}` : classes.head}
      aria-sort={column.sort ? (sorted ? (sorted.desc ? 'descending' : 'ascending') : 'none') : undefined}
    >
      {column.sort ? (
        <button type="button" className={sorted ? `${classes.sort} ${classes.sorted}` : classes.sort} onClick={onSort}>
          {column.header}
          <Arrow size={12} aria-hidden />
        </button>
      ) : column.quietHeader || !column.header ? (
        <VisuallyHidden>{column.header || <Trans>Actions</Trans>}</VisuallyHidden>
      ) : (
        column.header
      )}
    </th>
  )
}

/** A press on a button, link or field inside a row is theirs. */
const ownControl = (target: EventTarget) =>
  target instanceof Element && target.closest('button, a, input, select, textarea, [role="menuitem"]') !== null

function rowKeys(event: KeyboardEvent<HTMLTableRowElement>, open: () => void) {
  if (event.target !== event.currentTarget) return
  const row = event.currentTarget
  const siblings = row.parentElement?.children
  const go = (to: Element | null | undefined) => {
    event.preventDefault()
    if (to instanceof HTMLElement) to.focus()
  }
  if (event.key === 'ArrowDown') go(row.nextElementSibling)
  else if (event.key === 'ArrowUp') go(row.previousElementSibling)
  else if (event.key === 'Home') go(siblings?.[0])
  else if (event.key === 'End') go(siblings?.[siblings.length - 1])
  else if (event.key === 'Enter' || event.key === ' ') {
    event.preventDefault()
    open()
  }
}
