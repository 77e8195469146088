/** How good the line is, from two readings of the browser's statistics. */
import type { Quality } from '../session/state'

interface Reading {
  received: number
  lost: number
  jitter: number
  rtt: number
}

/** Reads the counters of a leg; undefined until audio arrives. */
export function read(stats: Iterable<Record<string, unknown>>): Reading | undefined {
  let reading: Reading | undefined
  let rtt = 0
  for (const entry of stats) {
    if (entry.type === 'inbound-rtp') {
      reading = {
        received: number(entry.packetsReceived),
        lost: number(entry.packetsLost),
        jitter: number(entry.jitter) * 1000,
        rtt: 0,
      }
    }
    if (entry.type === 'candidate-pair' && entry.nominated === true) rtt = number(entry.currentRoundTripTime) * 1000
  }
  return reading && { ...reading, rtt }
}

/** The quality between two readings; undefined when nothing was to arrive. */
export function between(before: Reading | undefined, now: Reading): Quality | undefined {
  const received = now.received - (before?.received ?? 0)
  const lost = Math.max(0, now.lost - (before?.lost ?? 0))
  if (received + lost <= 0) return undefined
  const loss = (100 * lost) / (received + lost)
  const { jitter, rtt } = now
  const poor = loss > 5 || jitter > 60 || rtt > 400
  const fair = loss > 1.5 || jitter > 30 || rtt > 250
  const one = (n: number) => Math.round(n * 10) / 10
  return { loss: one(loss), jitter: Math.round(jitter), rtt: Math.round(rtt), grade: poor ? 'poor' : fair ? 'fair' : 'good' }
}

const number = (value: unknown): number => (typeof value === 'number' ? value : 0)
