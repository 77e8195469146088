/**
 * The site's time as this browser sees it. A time stamp arrives late, never early, so of the last samples the one that came
 * quickest, the largest difference, is nearest to the truth.
 */
const kept = 30

export class SiteClock {
  #samples: number[] = []

  constructor(private readonly local: () => number = Date.now) {}

  /** Takes the time a node stamped on a message that arrives now. */
  sample(siteTime: number): void {
    this.#samples.push(siteTime - this.local())
    if (this.#samples.length > kept) this.#samples.shift()
  }

  /** Milliseconds to add to this machine's clock. */
  get offset(): number {
    return this.#samples.length > 0 ? Math.max(...this.#samples) : 0
  }

  now(): number {
    return this.local() + this.offset
  }
}
