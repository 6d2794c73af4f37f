import type { Clock } from '../ports/clock.ts'

/** The longest that a loop sleeps: long timers fire at once, and clocks jump. */
export const LONGEST_SLEEP_MS = 60_000

/** Without a reason of its own, every abort makes an error with a stack; bells ring all the time. */
const WOKEN = 'woken'

/**
 * Wakes a loop. Ringing only sets a flag, so that it may be done anywhere, also inside a message
 * handler: what the loop does then runs in the loop's own context.
 */
export class Bell {
  #rung = false
  #wake: (() => void) | undefined

  readonly ring = (): void => {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves when rung (also before), after `ms`, or when the signal is aborted. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted && ms > 0) {
      const woken = new AbortController()
      const wake = () => {
        woken.abort(WOKEN)
      }
      this.#wake = wake
      signal.addEventListener('abort', wake)
      await clock.sleep(Math.min(ms, LONGEST_SLEEP_MS), woken.signal)
      signal.removeEventListener('abort', wake)
      this.#wake = undefined
    }
    this.#rung = false
  }
}
