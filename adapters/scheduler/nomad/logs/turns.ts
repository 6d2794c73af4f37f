/** So many things at a time, whoever asks for them: one more waits for its turn. */
export class Turns {
  #free: number
  /** Of those that wait, longest first: hands over a place. */
  readonly #waiting = new Set<() => void>()

  constructor(most: number) {
    this.#free = most
  }

  /** What the work comes to; undefined where the signal is aborted before its turn has come. */
  async take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    if (!(await this.#turn(signal))) return undefined
    try {
      return await work()
    } finally {
      const [next] = this.#waiting
      if (next === undefined) this.#free += 1
      else next()
    }
  }

  async #turn(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false
    if (this.#free > 0) {
      this.#free -= 1
      return true
    }
    return await new Promise((resolve) => {
      const settle = (isIts: boolean) => {
        this.#waiting.delete(start)
        signal.removeEventListener('abort', giveUp)
        resolve(isIts)
      }
      const start = () => {
        settle(true)
      }
      const giveUp = () => {
        settle(false)
      }
      this.#waiting.add(start)
      signal.addEventListener('abort', giveUp)
    })
  }
}
