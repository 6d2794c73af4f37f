import { errorMessage } from '../../../src/core/errors.ts'
import type { Logger } from '../../../src/ports/logger.ts'

const SOON_MS = 50

/** Who is called when something was written. One that throws is logged and holds up nobody. */
export class Listeners<Topic extends string> {
  readonly #logger: Logger
  readonly #apartMs: Readonly<Record<string, number>>
  readonly #listeners = new Map<Topic, Set<() => void>>()
  readonly #calledMs = new Map<Topic, number>()
  readonly #later = new Map<Topic, NodeJS.Timeout>()

  /** Calls of these topics are so far apart: those that would come sooner are one, and come then. */
  constructor(logger: Logger, apartMs: Readonly<Record<string, number>> = {}) {
    this.#logger = logger
    this.#apartMs = apartMs
  }

  add(topic: Topic, listener: () => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners.add(listener))
    return () => listeners.delete(listener)
  }

  /** Soon: once, however often it is asked for until then. It keeps no process. */
  call(topic: Topic, when?: 'soon'): void {
    const waitMs = when === 'soon' ? SOON_MS : this.#tooSoonMs(topic)
    if (waitMs <= 0) {
      this.#callNow(topic)
      return
    }
    if (this.#later.has(topic)) return
    const timer = setTimeout(() => {
      this.#later.delete(topic)
      this.#callNow(topic)
    }, waitMs)
    this.#later.set(topic, timer.unref())
  }

  #tooSoonMs(topic: Topic): number {
    const [apartMs, calledMs] = [this.#apartMs[topic], this.#calledMs.get(topic)]
    if (apartMs === undefined || calledMs === undefined) return 0
    return calledMs + apartMs - performance.now()
  }

  #callNow(topic: Topic): void {
    this.#calledMs.set(topic, performance.now())
    for (const listener of this.#listeners.get(topic) ?? []) {
      try {
        listener()
      } catch (error) {
        this.#logger.error('store.listener-failed', { topic, error: errorMessage(error) })
      }
    }
  }
}
