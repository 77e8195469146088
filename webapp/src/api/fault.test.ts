import { globSync, readFileSync } from 'node:fs'
import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, it } from 'vitest'
import { faultOf } from './fault'
import { actionWords, faultWords } from './fault-words'
import { type Fault, FaultSchema } from './gen/trunkline/fault/v1/fault_pb'

const withDetail = (code: Code, fault: Partial<Omit<Fault, '$typeName'>>) =>
  new ConnectError('machine text', code, undefined, [{ desc: FaultSchema, value: create(FaultSchema, fault) }])

describe('faultOf', () => {
  it('says what happened with its parameters, what to do, and the reference', () => {
    const err = withDetail(Code.FailedPrecondition, {
      messageKey: 'fault.join.token_spent',
      params: { node: 'n2' },
      reference: '7K3QF0Z9TA',
      retryAfter: 3,
    })
    expect(faultOf(err)).toMatchObject({
      kind: 'conflict',
      message: 'The join token was used by n2 already.',
      action: 'Make a new command for each node.',
      reference: '7K3QF0Z9TA',
      retryAfter: 3,
    })
  })

  it('keeps the field', () => {
    expect(faultOf(withDetail(Code.InvalidArgument, { messageKey: 'fault.field.required', field: 'trunk.name' }))).toMatchObject({
      kind: 'invalid',
      field: 'trunk.name',
      action: '',
    })
  })

  it('falls back to the kind for a key it does not know, and never shows machine text', () => {
    const view = faultOf(withDetail(Code.NotFound, { messageKey: 'fault.of_tomorrow', reference: 'AAAAAAAAAA' }))
    expect(view).toMatchObject({ kind: 'not_found', message: 'This is not here, or no longer.', reference: 'AAAAAAAAAA' })
    expect(faultOf(new ConnectError('pq: syntax error', Code.Internal)).message).not.toContain('pq')
    expect(faultOf(new Error('x is undefined')).message).not.toContain('undefined')
    expect(faultOf('?').kind).toBe('internal')
  })

  it('tells a lost connection from a broken page', () => {
    expect(faultOf(ConnectError.from(new TypeError('Failed to fetch'), Code.Unknown))).toMatchObject({
      kind: 'unavailable',
      key: 'fault.network',
    })
    expect(faultOf(new TypeError('Failed to fetch')).key).toBe('fault.network')
    expect(faultOf(new RangeError('boom')).key).toBe('fault.page')
  })
})

describe('words', () => {
  // Between nodes and cloud only: no person reads these, they fall back to their kind.
  const unseen = /^fault\.(node|blob|facts|fleet|x|too_many)(\.|$)|^fault\.recording\.(hash|id)$|^action\.join_again$/

  it('exist for every fault and action the programs can name', () => {
    const root = new URL('../../../', import.meta.url).pathname
    const sources = globSync('{cloud,edge,internal,tenants}/**/*.go', { cwd: root }).filter((file) => !file.endsWith('_test.go'))
    const named = new Set<string>()
    for (const file of sources) {
      // Whole keys only: one that ends in a dot is completed at run time.
      for (const [, key] of readFileSync(root + file, 'utf8').matchAll(/"((?:fault|action)\.[a-z0-9_]+(?:\.[a-z0-9_]+)*)"/g))
        if (key) named.add(key)
    }
    const missing = [...named].filter((key) => !unseen.test(key) && !(key in faultWords) && !(key in actionWords))
    expect(missing.sort(), 'add them to src/api/fault-words.ts').toEqual([])
  })
})
