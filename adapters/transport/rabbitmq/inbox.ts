/** What has come and waits for a reader, and the readers that wait for what comes. */
export class Inbox<T> {
  readonly #readers: ((item: T | undefined) => void)[] = []
  #items: T[] = []
  #open = false

  open(): void {
    this.#open = true
  }

  /** Ends the waiting readers with undefined. What comes from now on is nobody's, until `empty`. */
  close(): void {
    this.#open = false
    for (const reader of this.#readers.splice(0)) reader(undefined)
  }

  /** All that nobody has read, oldest first: it is the caller's. */
  empty(): readonly T[] {
    return this.#items.splice(0)
  }

  put(item: T): void {
    const reader = this.#readers.shift()
    if (reader === undefined) this.#items.push(item)
    else reader(item)
  }

  /** The next one; undefined when closed. */
  next(): Promise<T | undefined> {
    if (!this.#open) return Promise.resolve(undefined)
    const item = this.#items.shift()
    if (item !== undefined) return Promise.resolve(item)
    return new Promise((resolve) => this.#readers.push(resolve))
  }

  /** Forgets what matches and has not been read. */
  forget(matches: (item: T) => boolean): void {
    this.#items = this.#items.filter((item) => !matches(item))
  }
}
