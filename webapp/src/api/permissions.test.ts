import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { homeOf } from '@/app/home'
import { paths } from '@/app/paths'
import { ActingAsSchema, MembershipSchema, MeResponseSchema } from './gen/trunkline/access/v1/access_pb'
import { may, permissionsOf } from './permissions'

const person = (roles: string[], rest: { platformAdmin?: boolean; acting?: boolean } = {}) =>
  create(MeResponseSchema, {
    platformAdmin: rest.platformAdmin ?? false,
    membership: roles.length > 0 ? create(MembershipSchema, { roles }) : undefined,
    actingAs: rest.acting ? create(ActingAsSchema, { reason: 'ticket 7' }) : undefined,
  })

describe('permissions', () => {
  it('grow with the role', () => {
    const sizes = ['agent', 'supervisor', 'admin', 'owner'].map((role) => permissionsOf(person([role])).size)
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b))
    expect(may(person(['agent']), 'calls_handle')).toBe(true)
    expect(may(person(['agent']), 'calls_read')).toBe(false)
    expect(may(person(['admin']), 'tenant_manage')).toBe(false)
    expect(may(person(['unheard of']), 'member')).toBe(false)
  })

  it('leave the platform behind while acting as a company', () => {
    expect(may(person([], { platformAdmin: true }), 'platform')).toBe(true)
    expect(may(person(['owner'], { platformAdmin: true, acting: true }), 'platform')).toBe(false)
  })

  it('lead everybody to a page they may see', () => {
    expect(homeOf(person(['agent']))).toBe(paths.desktop)
    expect(homeOf(person(['supervisor']))).toBe(paths.wallboard)
    expect(homeOf(person(['owner']))).toBe(paths.setup)
    expect(homeOf(person([], { platformAdmin: true }))).toBe(paths.tenants)
    expect(homeOf(person([]))).toBe(paths.account)
  })
})
