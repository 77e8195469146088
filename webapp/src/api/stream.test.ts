import { describe, expect, it } from 'vitest'
import { parseAppConfig } from './config'
import { backoff } from './stream'

describe('backoff', () => {
  it('grows from 200 ms to 2 s, then waits 10 s after a minute', () => {
    expect([0, 1, 2, 3, 4, 9].map((attempt) => backoff(attempt, 0, 1))).toEqual([200, 400, 800, 1600, 2000, 2000])
    expect(backoff(0, 61_000, 1)).toBe(10_000)
  })
  it('is half chance, so that browsers do not come back in step', () => {
    expect(backoff(4, 0, 0)).toBe(1000)
  })
})

describe('app config', () => {
  it('reads what either program says, and takes anything else for a cloud here', () => {
    expect(parseAppConfig({ role: 'edge', cloud_url: 'https://acme.example/', site: 'hq' })).toEqual({
      role: 'edge',
      cloudUrl: 'https://acme.example',
      site: 'hq',
    })
    expect(parseAppConfig(null)).toEqual({ role: 'cloud', cloudUrl: '', site: '' })
    expect(parseAppConfig({ role: 'node', cloud_url: 7 })).toEqual({ role: 'cloud', cloudUrl: '', site: '' })
  })
})
