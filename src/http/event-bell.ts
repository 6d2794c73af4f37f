/** Lets any number of readers share one wake-up. */
export interface EventBell extends Disposable {
  /** A reader's own memory of whether it was rung since it last slept. */
  reader(): EventBellReader
}

interface EventBellReader extends Disposable {
  /**
   * Resolves with true when rung, also when it was rung since the last call; with false after `ms` or
   * when the signal is aborted.
   */
  rung(ms: number, signal: AbortSignal): Promise<boolean>
}

/** Ringing only sets flags: readers go on in their own contexts. */
export function createEventBell(listen: (listener: () => void) => () => void): EventBell {
  const readers = new Set<() => void>()
  const unlisten = listen(() => {
    for (const ring of readers) ring()
  })

  return {
    reader() {
      let rung = false
      let wake: (() => void) | undefined
      const ring = () => {
        rung = true
        wake?.()
      }
      readers.add(ring)
      return {
        async rung(ms, signal) {
          if (!rung && !signal.aborted) {
            const { promise, resolve } = Promise.withResolvers<undefined>()
            const done = () => {
              resolve(undefined)
            }
            wake = done
            const timer = setTimeout(done, ms)
            signal.addEventListener('abort', done, { once: true })
            await promise
            signal.removeEventListener('abort', done)
            clearTimeout(timer)
            wake = undefined
          }
          const was = rung && !signal.aborted
          rung = false
          return was
        },
        [Symbol.dispose]() {
          readers.delete(ring)
        },
      }
    },
    [Symbol.dispose]: unlisten,
  }
}
