import type { MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import {
  type Icon,
  IconBuilding,
  IconBuildingBroadcastTower,
  IconChartBar,
  IconHeadset,
  IconHistory,
  IconLayoutDashboard,
  IconListCheck,
  IconMicrophone,
  IconPhoneCall,
  IconPlugConnected,
  IconRoute,
  IconServer2,
  IconSettings,
  IconStack2,
  IconUsers,
} from '@tabler/icons-react'
import { lazyRouteComponent } from '@tanstack/react-router'
import type { Permission } from '@/api'
import { type Path, paths } from './paths'

export type NavGroup = 'work' | 'floor' | 'setup' | 'platform'

export interface PageEntry {
  path: Path
  needs: Permission
  component: ReturnType<typeof lazyRouteComponent>
  /** Shown in navigation and palette. */
  nav?: { group: NavGroup; label: MessageDescriptor; icon: Icon }
}

const page = lazyRouteComponent

/** Every page behind the sign-in: its address, who may see it, where its code is, and its place in the navigation. */
export const pages: PageEntry[] = [
  {
    path: paths.desktop,
    needs: 'calls_handle',
    component: page(() => import('./open-desktop'), 'OpenDesktop'),
    nav: { group: 'work', label: msg`Agent desktop`, icon: IconHeadset },
  },
  {
    path: paths.wallboard,
    needs: 'live_read',
    component: page(() => import('@/features/wallboard'), 'WallboardPage'),
    nav: { group: 'floor', label: msg`Wallboard`, icon: IconLayoutDashboard },
  },
  {
    path: paths.calls,
    needs: 'calls_read',
    component: page(() => import('@/features/calls'), 'CallsPage'),
    nav: { group: 'floor', label: msg`Calls`, icon: IconPhoneCall },
  },
  { path: paths.call, needs: 'calls_read', component: page(() => import('@/features/calls'), 'CallPage') },
  {
    path: paths.reports,
    needs: 'reports_read',
    component: page(() => import('@/features/reports'), 'ReportsPage'),
    nav: { group: 'floor', label: msg`Reports`, icon: IconChartBar },
  },
  {
    path: paths.setup,
    needs: 'sites_manage',
    component: page(() => import('@/features/onboarding'), 'SetupPage'),
    nav: { group: 'setup', label: msg`First steps`, icon: IconListCheck },
  },
  {
    path: paths.sites,
    needs: 'sites_manage',
    component: page(() => import('@/features/sites'), 'SitesPage'),
    nav: { group: 'setup', label: msg`Sites`, icon: IconServer2 },
  },
  { path: paths.site, needs: 'sites_manage', component: page(() => import('@/features/sites'), 'SitePage') },
  {
    path: paths.numbers,
    needs: 'sites_manage',
    component: page(() => import('@/features/sites'), 'NumbersPage'),
    nav: { group: 'setup', label: msg`Trunks and numbers`, icon: IconPlugConnected },
  },
  {
    path: paths.queues,
    needs: 'routing_manage',
    component: page(() => import('@/features/routing'), 'QueuesPage'),
    nav: { group: 'setup', label: msg`Queues`, icon: IconStack2 },
  },
  {
    path: paths.flow,
    needs: 'routing_manage',
    component: page(() => import('@/features/routing'), 'FlowPage'),
    nav: { group: 'setup', label: msg`Call flow`, icon: IconRoute },
  },
  {
    path: paths.prompts,
    needs: 'routing_manage',
    component: page(() => import('@/features/routing'), 'PromptsPage'),
    nav: { group: 'setup', label: msg`Prompts`, icon: IconMicrophone },
  },
  {
    path: paths.members,
    needs: 'members_manage',
    component: page(() => import('@/features/members'), 'MembersPage'),
    nav: { group: 'setup', label: msg`Members`, icon: IconUsers },
  },
  {
    path: paths.settings,
    needs: 'routing_manage',
    component: page(() => import('@/features/routing'), 'SettingsPage'),
    nav: { group: 'setup', label: msg`Settings`, icon: IconSettings },
  },
  { path: paths.account, needs: 'account', component: page(() => import('@/features/account'), 'AccountPage') },
  {
    path: paths.tenants,
    needs: 'platform',
    component: page(() => import('@/features/console'), 'TenantsPage'),
    nav: { group: 'platform', label: msg`Tenants`, icon: IconBuilding },
  },
  { path: paths.tenant, needs: 'platform', component: page(() => import('@/features/console'), 'TenantPage') },
  {
    path: paths.platformSites,
    needs: 'platform',
    component: page(() => import('@/features/console'), 'PlatformSitesPage'),
    nav: { group: 'platform', label: msg`All sites`, icon: IconBuildingBroadcastTower },
  },
  {
    path: paths.audit,
    needs: 'platform',
    component: page(() => import('@/features/console'), 'AuditPage'),
    nav: { group: 'platform', label: msg`Audit log`, icon: IconHistory },
  },
]

/** Pages before the sign-in. */
export const publicPages: { path: Path; component: PageEntry['component'] }[] = [
  { path: paths.signIn, component: page(() => import('@/features/access'), 'SignInPage') },
  { path: paths.signUp, component: page(() => import('@/features/access'), 'SignUpPage') },
  { path: paths.confirm, component: page(() => import('@/features/access'), 'ConfirmPage') },
  { path: paths.forgot, component: page(() => import('@/features/access'), 'ForgotPage') },
  { path: paths.reset, component: page(() => import('@/features/access'), 'ResetPage') },
  { path: paths.invitation, component: page(() => import('@/features/access'), 'InvitationPage') },
  { path: paths.confirmEmail, component: page(() => import('@/features/access'), 'ConfirmEmailPage') },
]

/** The agent's page at a node of the site. */
export const DesktopPage = page(() => import('@/features/agent'), 'DesktopPage')
export const GalleryPage = page(() => import('@/features/gallery'), 'GalleryPage')
