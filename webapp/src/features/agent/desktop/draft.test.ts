import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fakeStorage } from '../session/testing'
import { pageTimer } from '../session/timer'
import { Draft, type SaveDraft } from './draft'

const none = { code: '', note: '' }
let save: ReturnType<typeof vi.fn<SaveDraft>>
let storage: Storage
const draft = (known = none) => new Draft('c1', known, save, pageTimer, storage)

beforeEach(() => {
  vi.useFakeTimers()
  save = vi.fn(async () => {})
  storage = fakeStorage()
})
afterEach(() => vi.useRealTimers())

describe('the note of a call', () => {
  it('is sent when typing pauses, a code at once', async () => {
    const d = draft()
    d.change({ note: 'a' })
    d.change({ note: 'ab' })
    await vi.advanceTimersByTimeAsync(600)
    expect(save).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(200)
    expect(save.mock.calls).toEqual([['', 'ab', false]])
    d.change({ code: 'sold' })
    await vi.advanceTimersByTimeAsync(0)
    expect(save.mock.calls[1]).toEqual(['sold', 'ab', false])
    expect(d.store.getState().status).toBe('saved')
  })

  it('never lets an older text overtake a newer one', async () => {
    let answer = () => {}
    save.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)))
    const d = draft()
    d.change({ code: '1' })
    await vi.advanceTimersByTimeAsync(0)
    d.change({ code: '2' })
    await vi.advanceTimersByTimeAsync(100)
    expect(save).toHaveBeenCalledTimes(1)
    answer()
    await vi.advanceTimersByTimeAsync(0)
    expect(save.mock.calls.at(-1)).toEqual(['2', '', false])
    expect(d.store.getState().status).toBe('saved')
  })

  it('is tried again while the site is away, and survives a reload', async () => {
    save.mockRejectedValue(new Error('away'))
    const d = draft()
    d.change({ note: 'kept' })
    await vi.advanceTimersByTimeAsync(800)
    expect(d.store.getState()).toMatchObject({ status: 'failed', note: 'kept' })
    d.stop()
    save.mockReset().mockResolvedValue()
    const again = draft()
    expect(again.store.getState().note).toBe('kept')
    await vi.advanceTimersByTimeAsync(0)
    expect(save).toHaveBeenCalledWith('', 'kept', false)
    again.stop()
    // Sent, but the call still goes on: the site does not tell it back yet.
    expect(draft().store.getState()).toMatchObject({ status: 'saved', note: 'kept' })
    expect(save).toHaveBeenCalledTimes(1)
  })

  it('is sent whole with the end of the wrap-up, and then forgotten here', async () => {
    const d = draft()
    d.change({ note: 'last words' })
    await d.finish()
    expect(save.mock.calls).toEqual([['', 'last words', true]])
    expect(draft().store.getState().note).toBe('')
  })

  it('stays where it is when the end was refused', async () => {
    const d = draft()
    d.change({ note: 'x' })
    save.mockRejectedValueOnce(new Error('no'))
    await expect(d.finish()).rejects.toThrow()
    expect(d.store.getState()).toMatchObject({ status: 'failed', note: 'x' })
  })

  it('takes what another tab wrote, unless something newer is here', async () => {
    const d = draft()
    d.told({ code: 'a', note: 'theirs' })
    expect(d.store.getState().note).toBe('theirs')
    d.change({ note: 'mine' })
    d.told({ code: 'a', note: 'theirs' })
    expect(d.store.getState().note).toBe('mine')
  })
})
