import type { Clock } from '../../../src/ports/clock.ts'

/** A loop's sleep that ends early when something happens, also when that was just before it. */
export class Waker {
  readonly #clock: Clock
  #woken = false
  #sleeping: AbortController | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wake(): void {
    this.#woken = true
    // A reason, because an abort without one makes an error with a stack.
    this.#sleeping?.abort('woken')
  }

  async sleep(ms: number): Promise<void> {
    if (!this.#woken) {
      this.#sleeping = new AbortController()
      await this.#clock.sleep(ms, this.#sleeping.signal)
      this.#sleeping = undefined
    }
    this.#woken = false
  }
}
