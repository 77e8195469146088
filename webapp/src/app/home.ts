import type { MeResponse } from '@/api'
import { may } from '@/api'
import { type Path, paths } from './paths'

/** Where a person lands: platform staff at the console, agents at their desk, administrators at what is not done yet. */
export function homeOf(me: MeResponse): Path {
  if (!me.membership) return me.platformAdmin ? paths.tenants : paths.account
  if (may(me, 'sites_manage')) return paths.setup
  if (may(me, 'live_read')) return paths.wallboard
  return paths.desktop
}
