/** Runs work for one key strictly one after the other, for different keys side by side. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>()

  run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(key)
    const result = before === undefined ? work() : before.then(work, work)
    this.#tails.set(key, result)
    const clear = (): void => {
      if (this.#tails.get(key) === result) this.#tails.delete(key)
    }
    result.then(clear, clear)
    return result
  }

  has(key: string): boolean {
    return this.#tails.has(key)
  }

  get size(): number {
    return this.#tails.size
  }

  /** Resolves when everything that was queued has ended, however it ended. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.allSettled(this.#tails.values())
  }
}
