import { errorMessage } from '../../../src/core/errors.ts'
import type { Logger } from '../../../src/ports/logger.ts'

/** Who is called when something was written. One that throws is logged and holds up nobody. */
export class Listeners<Topic extends string> {
  readonly #logger: Logger
  readonly #listeners = new Map<Topic, Set<() => void>>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  add(topic: Topic, listener: () => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners.add(listener))
    return () => listeners.delete(listener)
  }

  call(topic: Topic): void {
    for (const listener of this.#listeners.get(topic) ?? []) {
      try {
        listener()
      } catch (error) {
        this.#logger.error('store.listener-failed', { topic, error: errorMessage(error) })
      }
    }
  }
}
