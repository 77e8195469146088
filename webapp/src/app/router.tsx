import { useLingui } from '@lingui/react/macro'
import { createRootRoute, createRoute, createRouter, Navigate, Outlet, redirect } from '@tanstack/react-router'
import { type AppConfig, may, sessionReady, useMe } from '@/api'
import { ErrorState, Forbidden, Page, PageSkeleton } from '@/ui'
import { homeOf } from './home'
import { DesktopPage, GalleryPage, type PageEntry, pages, publicPages } from './pages'
import { paths } from './paths'
import { PublicFrame } from './public-frame'
import { Inside, NotFoundAnywhere } from './shell'
import { NotFound } from './stopped'

/** Holds the page back until it is known who asks, and sends strangers to the sign-in. */
async function signedIn({ location }: { location: { href: string } }) {
  const session = await sessionReady()
  if (session.status === 'signed_out')
    throw redirect({ to: paths.signIn, search: location.href === '/' ? {} : { next: location.href } })
}

/** Forbidden is said as such, before the page asks the server for anything. */
function Guarded({ component: Shown, needs, nav }: PageEntry) {
  const { t, i18n } = useLingui()
  if (may(useMe(), needs)) return <Shown />
  return (
    <Page title={nav ? i18n._(nav.label) : t`No access`}>
      <Forbidden />
    </Page>
  )
}

const Home = () => <Navigate to={homeOf(useMe())} replace />

const root = createRootRoute({ component: Outlet })
const gallery = createRoute({ getParentRoute: () => root, path: paths.gallery, component: GalleryPage })

/** At a site's node there is the desktop and nothing else. */
const edgeRoutes = () => [
  createRoute({ getParentRoute: () => root, path: '/', component: () => <Navigate to={paths.desktop} replace /> }),
  createRoute({ getParentRoute: () => root, path: paths.desktop, component: DesktopPage }),
  createRoute({
    getParentRoute: () => root,
    path: '$',
    component: () => (
      <main>
        <NotFound />
      </main>
    ),
  }),
]

function cloudRoutes() {
  const open = createRoute({ getParentRoute: () => root, id: 'public', component: PublicFrame })
  const inside = createRoute({ getParentRoute: () => root, id: 'inside', beforeLoad: signedIn, component: Inside })
  return [
    createRoute({
      getParentRoute: () => root,
      path: '$',
      beforeLoad: async () => void (await sessionReady()),
      component: NotFoundAnywhere,
    }),
    open.addChildren(publicPages.map(({ path, component }) => createRoute({ getParentRoute: () => open, path, component }))),
    inside.addChildren([
      createRoute({ getParentRoute: () => inside, path: '/', component: Home }),
      createRoute({ getParentRoute: () => inside, path: '/reports', component: () => <Navigate to={paths.reports} replace /> }),
      ...pages.map((entry) =>
        createRoute({ getParentRoute: () => inside, path: entry.path, component: () => <Guarded {...entry} /> }),
      ),
    ]),
  ]
}

export function makeRouter(config: AppConfig) {
  return createRouter({
    routeTree: root.addChildren([...(config.role === 'edge' ? edgeRoutes() : cloudRoutes()), gallery]),
    defaultPreload: 'intent',
    defaultPendingMs: 200,
    defaultPendingMinMs: 0,
    defaultPendingComponent: PageSkeleton,
    defaultErrorComponent: ({ error, reset }) => <ErrorState error={error} retry={reset} />,
    scrollRestoration: true,
  })
}
