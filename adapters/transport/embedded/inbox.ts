import { errorMessage } from '../../../src/core/errors.ts'
import type { MessageError } from '../../../src/core/message-error.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { LogFields, Logger } from '../../../src/ports/logger.ts'
import type { HeldMessage, MessageTable } from '../../../src/ports/message-table.ts'
import { Waker } from './waker.ts'

const LONGEST_SLEEP_MS = 60_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 10_000

export interface InboxParts<T> {
  readonly messages: MessageTable
  readonly clock: Clock
  readonly logger: Logger
  readonly holdMs: number
  /** Makes of a message what its reader gets. */
  readonly open: (message: HeldMessage) => Opened<T>
  /** Told of each that could not be read. */
  readonly buried: (told: LogFields) => void
}

/** `in-hand`: a handler has it already, its hold had lapsed. */
export type Opened<T> = { readonly message: T } | { readonly unreadable: MessageError } | 'in-hand'

/**
 * The readers that wait, and the loop that fetches for them: exactly as many messages as there are
 * readers, so that at most bus-core's concurrency is ever taken out of the queue.
 */
export class Inbox<T> {
  readonly #parts: InboxParts<T>
  readonly #waker: Waker
  readonly #readers: ((message: T | undefined) => void)[] = []
  #stopping: AbortController | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(parts: InboxParts<T>) {
    this.#parts = parts
    this.#waker = new Waker(parts.clock)
  }

  start(): void {
    if (this.#stopping) return
    this.#stopping = new AbortController()
    this.#running = this.#run(this.#stopping.signal)
  }

  /** Ends the waiting readers with undefined. What has been fetched and not handed over is given back. */
  async stop(): Promise<void> {
    this.#stopping?.abort()
    for (const reader of this.#readers.splice(0)) reader(undefined)
    this.#waker.wake()
    await this.#running
    this.#stopping = undefined
  }

  /** Something may have come. */
  wake(): void {
    this.#waker.wake()
  }

  /** The next message; undefined once stopped. */
  next(): Promise<T | undefined> {
    if (!this.#stopping || this.#stopping.signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#readers.push(resolve)
      this.#waker.wake()
    })
  }

  async #run(stopping: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts
    let pauseMs = FIRST_PAUSE_MS
    while (!stopping.aborted) {
      try {
        const sleepMs = await this.#fetch(stopping)
        pauseMs = FIRST_PAUSE_MS
        if (sleepMs > 0) await this.#waker.sleep(sleepMs)
      } catch (error) {
        // The store is away: nobody's try is spent, and bus-core is not told (it would sleep and log).
        logger.warn('messages.unavailable', { pauseMs, error: errorMessage(error) })
        await clock.sleep(pauseMs, stopping)
        pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)
      }
    }
  }

  /** Hands over what there is; resolves with how long to sleep at most. */
  async #fetch(stopping: AbortSignal): Promise<number> {
    const { messages, holdMs, clock, open, buried } = this.#parts
    const wanted = this.#readers.length
    if (wanted === 0) return LONGEST_SLEEP_MS
    const claimed = await messages.claim(wanted, holdMs)
    let settled = 0
    try {
      for (const message of claimed) {
        const reader = stopping.aborted ? undefined : this.#readers.shift()
        if (!reader) break
        const opened = open(message)
        if (opened !== 'in-hand' && 'message' in opened) reader(opened.message)
        else this.#readers.unshift(reader)
        if (opened !== 'in-hand' && 'unreadable' in opened) {
          await messages.bury(message.key, opened.unreadable)
          buried({ messageId: message.id, tries: 1, error: opened.unreadable.name })
        }
        settled += 1
      }
    } finally {
      for (const { key } of claimed.slice(settled)) await messages.giveBack(key)
    }
    if (claimed.length > 0) return 0
    const dueAt = await messages.nextDue()
    if (!dueAt) return LONGEST_SLEEP_MS
    return Math.max(1, Math.min(LONGEST_SLEEP_MS, dueAt.getTime() - clock.now().getTime()))
  }
}
