/**
 * Times a measurement can read: performance marks, and the same in window.__trunkline.timings. Offers: how long after the site
 * made it the card stood on the screen. Answers: from the click to the first sound of the caller.
 */
export interface Timing {
  name: 'offer_shown' | 'answer_to_audio' | 'audio_back'
  callId: string
  /** Milliseconds. */
  ms: number
}

declare global {
  interface Window {
    __trunkline?: { timings: Timing[] }
  }
}

const kept = 200
const clicks = new Map<string, number>()

function note(timing: Timing): void {
  window.__trunkline ??= { timings: [] }
  const { timings } = window.__trunkline
  timings.push(timing)
  if (timings.length > kept) timings.shift()
  performance.mark(`trunkline:${timing.name}`, { detail: timing })
}

export function offerShown(callId: string, ms: number): void {
  note({ name: 'offer_shown', callId, ms })
}

/** The agent pressed answer. */
export function answerPressed(callId: string, now = performance.now()): void {
  clicks.set(callId, now)
  performance.mark('trunkline:answer_pressed', { detail: { callId } })
}

/** The caller is heard: after an answer, else after a reload or a move. `since` is when this leg began. */
export function soundHeard(callId: string, since: number, now = performance.now()): void {
  const click = clicks.get(callId)
  clicks.delete(callId)
  if (click === undefined) note({ name: 'audio_back', callId, ms: now - since })
  else note({ name: 'answer_to_audio', callId, ms: now - click })
}
