/** Delays before the next try: doubled from 200 ms to 2 s, to 10 s after the first minute, each shortened by up to a half at random. */
const first = 200
const longest = 2_000
const longestLater = 10_000
const later = 60_000

export class Backoff {
  #failures = 0
  #since = 0

  constructor(
    private readonly now: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds to wait before the next try. */
  next(): number {
    if (this.#failures === 0) this.#since = this.now()
    const limit = this.now() - this.#since > later ? longestLater : longest
    const delay = Math.min(limit, first * 2 ** Math.min(this.#failures++, 10))
    return delay * (1 - this.random() / 2)
  }

  /** It worked: the next failure begins anew. */
  reset(): void {
    this.#failures = 0
  }
}
