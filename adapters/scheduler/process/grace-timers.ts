/** `setTimeout` fires at once for more than this. */
const LONGEST_MS = 2 ** 31 - 1

/** Kills that are due, one a unit. They hold no process open: the next daemon finds them on disk. */
export class GraceTimers implements AsyncDisposable {
  readonly #kill: (name: string) => Promise<void>
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #killing = new Map<string, Promise<void>>()
  #closed = false

  constructor(kill: (name: string) => Promise<void>) {
    this.#kill = kill
  }

  /** Does nothing where one is set already: the first counted the grace by a clock that cannot jump. */
  set(name: string, inMs: number): void {
    if (this.#closed || this.#timers.has(name) || this.#killing.has(name)) return
    const timer = setTimeout(
      () => {
        this.#timers.delete(name)
        if (inMs > LONGEST_MS) this.set(name, inMs - LONGEST_MS)
        else this.#fire(name)
      },
      Math.min(Math.max(inMs, 0), LONGEST_MS),
    )
    this.#timers.set(name, timer.unref())
  }

  cancel(name: string): void {
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const name of this.#timers.keys()) this.cancel(name)
    await Promise.all(this.#killing.values())
  }

  #fire(name: string): void {
    const killing = this.#kill(name).finally(() => this.#killing.delete(name))
    this.#killing.set(name, killing)
  }
}
