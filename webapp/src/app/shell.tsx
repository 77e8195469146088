import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon } from '@mantine/core'
import { IconMenu2, IconSearch } from '@tabler/icons-react'
import { Link, Navigate, Outlet, useLocation } from '@tanstack/react-router'
import { type ReactNode, useEffect, useState } from 'react'
import { type MeResponse, permissionsOf, useMe, useSession } from '@/api'
import { PageSkeleton, Preferences } from '@/ui'
import { ActingBanner } from './acting-banner'
import { Keys } from './keys'
import { PersonMenu, TenantMenu } from './menus'
import { type NavGroup, type PageEntry, pages } from './pages'
import { openPalette, Palette, searchKey } from './palette'
import { paths } from './paths'
import { PublicFrame } from './public-frame'
import classes from './shell.module.css'
import { NotFound, Unreachable } from './stopped'

/** Behind the sign-in: the shell, or why there is none. */
export function Inside() {
  const session = useSession()
  if (session.status === 'unreachable') return <Unreachable />
  if (session.status === 'signed_out') return <Navigate to={paths.signIn} />
  if (session.status === 'loading') return <PageSkeleton />
  return <Shell />
}

/** No such address: said inside of the shell to who is signed in, and without it to strangers. */
export function NotFoundAnywhere() {
  const session = useSession()
  if (session.status === 'loading') return <PageSkeleton />
  if (session.status === 'signed_in') return <Shell page={<NotFound />} />
  return <PublicFrame page={<NotFound />} />
}

function Shell({ page = <Outlet /> }: { page?: ReactNode }) {
  const { t } = useLingui()
  const me = useMe()
  const [open, setOpen] = useState(false)
  const { pathname } = useLocation()
  // biome-ignore lint/correctness/useExhaustiveDependencies: closes when the page changes
  useEffect(() => setOpen(false), [pathname])
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip}>
        <Trans>Skip to the page</Trans>
      </a>
      {me.actingAs && <ActingBanner me={me} />}
      <div className={classes.narrowBar}>
        <ActionIcon aria-label={t`Navigation`} aria-expanded={open} onClick={() => setOpen(!open)}>
          <IconMenu2 size={18} aria-hidden />
        </ActionIcon>
        {me.membership?.tenantName ?? 'Trunkline'}
      </div>
      <aside className={open ? `${classes.side} ${classes.open}` : classes.side}>
        <div className={classes.sideHead}>
          <TenantMenu me={me} />
          <button type="button" className={classes.search} onClick={openPalette}>
            <IconSearch size={14} aria-hidden />
            <Trans>Search</Trans>
            <kbd>{searchKey}</kbd>
          </button>
        </div>
        <Navigation me={me} />
        <div className={classes.foot}>
          <PersonMenu me={me} />
          <Preferences />
        </div>
      </aside>
      <main id="main" className={classes.main} tabIndex={-1}>
        {page}
      </main>
      <Palette />
      <Keys />
    </div>
  )
}

/** Pages this person may open, by group. */
export function visiblePages(me: MeResponse): (PageEntry & Required<Pick<PageEntry, 'nav'>>)[] {
  const granted = permissionsOf(me)
  return pages.filter(
    (entry): entry is PageEntry & Required<Pick<PageEntry, 'nav'>> => entry.nav !== undefined && granted.has(entry.needs),
  )
}

function Navigation({ me }: { me: MeResponse }) {
  const { t, i18n } = useLingui()
  const groups: [NavGroup, string][] = [
    ['work', t`Work`],
    ['floor', t`Floor`],
    ['setup', t`Company`],
    ['platform', t`Platform`],
  ]
  const shown = visiblePages(me)
  return (
    <nav className={classes.nav} aria-label={t`Pages`}>
      {groups.map(([group, label]) => {
        const entries = shown.filter(({ nav }) => nav.group === group)
        if (entries.length === 0) return null
        return (
          <div key={group}>
            <div className={classes.group} id={`nav-${group}`}>
              {label}
            </div>
            <ul className={classes.list} aria-labelledby={`nav-${group}`}>
              {entries.map(({ path, nav: { icon: Shown, label: name } }) => (
                <li key={path}>
                  <Link to={path} className={classes.link} activeOptions={{ exact: path === paths.tenants }}>
                    <Shown size={16} stroke={1.75} aria-hidden />
                    <span>{i18n._(name)}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        )
      })}
    </nav>
  )
}
