import { errorMessage } from '../../../src/core/errors.ts'
import type { Logger } from '../../../src/ports/logger.ts'

const SOON_MS = 50

/** Who is called when something was written. One that throws is logged and holds up nobody. */
export class Listeners<Topic extends string> {
  readonly #logger: Logger
  readonly #listeners = new Map<Topic, Set<() => void>>()
  readonly #soon = new Map<Topic, NodeJS.Timeout>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  add(topic: Topic, listener: () => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners.add(listener))
    return () => listeners.delete(listener)
  }

  /** Soon: once, however often it is asked for until then. It keeps no process. */
  call(topic: Topic, when?: 'soon'): void {
    if (when === 'soon') {
      if (this.#soon.has(topic)) return
      const timer = setTimeout(() => {
        this.#soon.delete(topic)
        this.call(topic)
      }, SOON_MS)
      this.#soon.set(topic, timer.unref())
      return
    }
    for (const listener of this.#listeners.get(topic) ?? []) {
      try {
        listener()
      } catch (error) {
        this.#logger.error('store.listener-failed', { topic, error: errorMessage(error) })
      }
    }
  }
}
