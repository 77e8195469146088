import { Trans } from '@lingui/react/macro'
import { Link, Outlet } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { Preferences } from '@/ui'
import { Mark } from './mark'
import { paths } from './paths'
import classes from './shell.module.css'

/** Around every page before the sign-in. */
export const PublicFrame = ({ page = <Outlet /> }: { page?: ReactNode }) => (
  <div className={classes.public}>
    <header className={classes.publicTop}>
      <Link to={paths.signIn} className={classes.brand}>
        <Mark />
        Trunkline
      </Link>
      <Preferences />
    </header>
    <main className={classes.publicMain}>{page}</main>
    <footer className={classes.publicFoot}>
      <Trans>A contact center whose calls stay at your site.</Trans>
    </footer>
  </div>
)
