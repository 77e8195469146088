import { describe, expect, it } from 'vitest'
import { pages, publicPages } from './pages'
import { fill, paths, safeNext } from './paths'

describe('paths', () => {
  it('are each there once', () => {
    const all = Object.values(paths)
    expect(new Set(all).size).toBe(all.length)
  })

  it('have a page each', () => {
    const served = new Set([...pages, ...publicPages].map(({ path }) => path))
    const alone = [paths.home, paths.gallery]
    expect(Object.values(paths).filter((path) => !served.has(path) && !(alone as string[]).includes(path))).toEqual([])
  })

  it('keep those that stand in mails', () => {
    expect([paths.confirm, paths.reset, paths.invitation, paths.confirmEmail, paths.signIn, paths.forgot, paths.account]).toEqual([
      '/confirm',
      '/reset',
      '/invitation',
      '/confirm-email',
      '/sign-in',
      '/forgot',
      '/account',
    ])
  })

  it('take their parameters encoded', () => {
    expect(fill(paths.site, { siteId: 'a/b' })).toBe('/sites/a%2Fb')
    expect(() => fill(paths.site)).toThrow('siteId')
  })

  it.each([
    ['/calls?queue=1', '/calls?queue=1'],
    ['//evil.example', '/'],
    ['https://evil.example', '/'],
    ['/\\evil.example', '/'],
    [undefined, '/'],
    [7, '/'],
  ])('go on after sign-in to %s as %s', (next, expected) => expect(safeNext(next)).toBe(expected))
})
