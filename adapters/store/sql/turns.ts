/** One after another, in the order in which they came. */
export class Turns {
  #last: Promise<void> = Promise.resolve()

  /**
   * Resolves with what ends the turn, once all turns before have ended; rejects with the signal's
   * reason where it is aborted first.
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    const before = this.#last
    const ended = Promise.withResolvers<undefined>()
    this.#last = ended.promise
    const end = () => {
      ended.resolve(undefined)
    }
    try {
      await orAborted(before, signal)
      return end
    } catch (error) {
      // Whoever waits behind this one waits for the one before it.
      void before.then(end)
      throw error
    }
  }
}

async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => {
    aborted.reject(signal.reason as Error)
  }
  signal.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
