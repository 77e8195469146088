import { describe, expect, it } from 'vitest'
import { type FlowDocument, type PlainFlow, parseDocument, toDocument, toPlain } from './document'

const plain: PlainFlow = {
  language: 'en',
  greeting: 'greeting',
  menu: true,
  menuPrompt: 'main_menu',
  timeoutS: 5,
  retries: 2,
  options: [
    { digit: '1', label: 'Support', target: 'queue:a' },
    { digit: '2', label: 'Sales', target: 'queue:b' },
    { digit: '3', label: 'Hours', target: 'say:hours' },
  ],
  otherwise: 'queue:a',
  nobody: 'nobody_available',
}

describe('flow document', () => {
  it('goes there and back', () => {
    expect(toPlain(toDocument(plain))).toEqual(plain)
    const short: PlainFlow = {
      ...plain,
      greeting: '',
      menu: false,
      options: [],
      nobody: '',
      otherwise: 'queue:a',
      menuPrompt: 'main_menu',
      timeoutS: 4,
      retries: 1,
    }
    expect(toPlain(toDocument(short))).toEqual(short)
  })

  it('makes one node for a queue that two choices lead to, and no dangling step', () => {
    const { nodes, start } = toDocument(plain)
    expect(Object.values(nodes).filter((node) => node.queue_id === 'a')).toHaveLength(1)
    const targets = Object.values(nodes).flatMap((node) => [
      node.next,
      ...Object.values(node.options ?? {}).map((option) => option.next),
    ])
    for (const id of [start, ...targets.filter((next) => next !== undefined)]) expect(nodes).toHaveProperty(id)
  })

  it('reads the flow a new tenant starts with', () => {
    const document: FlowDocument = {
      schema: 1,
      language: 'en',
      start: 'greeting',
      nodes: {
        greeting: { type: 'play', prompt: 'greeting', next: 'menu' },
        menu: {
          type: 'menu',
          prompt: 'main_menu',
          timeout_ms: 4000,
          retries: 1,
          options: { '1': { label: 'Support', next: 'support' } },
          next: 'support',
        },
        support: { type: 'queue', queue_id: 'q', next: 'nobody' },
        nobody: { type: 'play', prompt: 'nobody_available', next: 'end' },
        end: { type: 'hangup' },
      },
    }
    expect(toPlain(document)).toMatchObject({
      greeting: 'greeting',
      options: [{ digit: '1', label: 'Support', target: 'queue:q' }],
      otherwise: 'queue:q',
      nobody: 'nobody_available',
    })
  })

  it('does not pretend to hold what it cannot: a menu below a menu', () => {
    const document = toDocument(plain)
    document.nodes.menu = { ...document.nodes.menu, type: 'menu', options: { '1': { label: 'More', next: 'menu' } } }
    expect(toPlain(document)).toBeUndefined()
    expect(parseDocument('{"schema":2}')).toBeUndefined()
    expect(parseDocument('not json')).toBeUndefined()
  })
})
