import { i18n } from '@lingui/core'
import { describe, expect, it } from 'vitest'
import { enderWord, eventWords } from './words'

const words = (kind: string, params: Record<string, string> = {}) => {
  const { text, detail } = eventWords(kind, params, i18n)
  return detail ? `${text} / ${detail}` : text
}

describe('the timeline in words', () => {
  it.each([
    [
      'started',
      { caller: '+49301234567', called: '+498912345600', node: 'n1' },
      '+49 30 1234567 called +49 89 12345600 / Taken by node n1.',
    ],
    ['started', { called: '+498912345600' }, 'A withheld number called +49 89 12345600'],
    ['menu', { digit: '1', label: 'Support' }, 'Chose 1 in the menu: Support'],
    ['queued', { queue: 'Support' }, 'Began to wait in Support'],
    ['offer_ended', { agent: 'Ada', outcome: 'no_answer' }, 'No longer rang at Ada / They did not answer in time.'],
    ['left_queue', { queue: 'Support', outcome: 'max_wait' }, 'Left Support / The longest allowed wait was over.'],
    ['talking', { agent: 'Ada', held_ms: '14000' }, 'Ada answered / On hold for 0:14 of it.'],
    ['talking', {}, 'an agent answered'],
    ['moved', { from: 'n1', to: 'n2', gap_ms: '720' }, 'Moved from node n1 to n2 / The sound paused for 0.7 s.'],
    ['ended', { by: 'caller' }, 'The caller hung up'],
    ['ended', { by: 'something new' }, 'The call ended'],
  ])('%s', (kind, params, text) => {
    expect(words(kind, params as Record<string, string>)).toBe(text)
  })

  it('says nothing about an ender it does not know', () => {
    expect(enderWord('toString', i18n)).toBeUndefined()
    expect(enderWord('max_wait', i18n)).toBe('Ended after the longest allowed wait')
  })
})
