/**
 * Alarms that ring on time in a tab nobody looks at. A browser wakes the timers of a hidden page once a second and after five
 * minutes once a minute, too late for a lease of ten seconds; a worker's timers run on.
 */
export interface Timer {
  /** Runs fn after ms; the returned function takes it back. */
  after(ms: number, fn: () => void): () => void
}

export const pageTimer: Timer = {
  after(ms, fn) {
    const id = setTimeout(fn, ms)
    return () => clearTimeout(id)
  },
}

/** The page's own timers where a browser refuses the worker. */
export function workerTimer(): Timer {
  let worker: Worker
  try {
    worker = new Worker(new URL('./timer-worker.ts', import.meta.url), { type: 'module' })
  } catch {
    return pageTimer
  }
  const waiting = new Map<number, () => void>()
  let last = 0
  let broken = false
  worker.onmessage = ({ data }: MessageEvent<number>) => {
    const fn = waiting.get(data)
    waiting.delete(data)
    fn?.()
  }
  worker.onerror = () => {
    broken = true
    const left = [...waiting.values()]
    waiting.clear()
    for (const fn of left) fn()
  }
  return {
    after(ms, fn) {
      if (broken) return pageTimer.after(ms, fn)
      const id = ++last
      waiting.set(id, fn)
      worker.postMessage({ id, ms })
      return () => {
        if (waiting.delete(id)) worker.postMessage({ id })
      }
    },
  }
}

/** Resolves when all that is due before the browser may draw again has run; not held back in a hidden tab either. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}

/** Resolves after ms, at once when the signal fires. */
export function wait(timer: Timer, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = timer.after(ms, done)
    signal.addEventListener('abort', done)
  })
}
