import type { MeResponse } from './gen/trunkline/access/v1/access_pb'

/** What a page needs; named after trunkline.access.v1.Permission. The cloud decides, this only hides what it would refuse. */
export type Permission =
  | 'account'
  | 'member'
  | 'members_manage'
  | 'sites_manage'
  | 'routing_manage'
  | 'dialling_manage'
  | 'calls_read'
  | 'recordings_play'
  | 'reports_read'
  | 'live_read'
  | 'floor_command'
  | 'calls_handle'
  | 'tenant_manage'
  | 'platform'

const agent: Permission[] = ['member', 'calls_handle']
const supervisor: Permission[] = [...agent, 'calls_read', 'recordings_play', 'reports_read', 'live_read', 'floor_command']
const admin: Permission[] = [...supervisor, 'members_manage', 'sites_manage', 'routing_manage', 'dialling_manage']
const owner: Permission[] = [...admin, 'tenant_manage']
const byRole: Record<string, Permission[]> = { agent, supervisor, admin, owner }

export const roleNames = ['owner', 'admin', 'supervisor', 'agent'] as const
export type Role = (typeof roleNames)[number]

/** All that this person may do in the tenant of the session. */
export function permissionsOf(me: MeResponse): Set<Permission> {
  const all = new Set<Permission>(['account'])
  if (me.platformAdmin && !me.actingAs) all.add('platform')
  for (const role of me.membership?.roles ?? []) for (const permission of byRole[role] ?? []) all.add(permission)
  return all
}

export const may = (me: MeResponse, permission: Permission) => permissionsOf(me).has(permission)
