import { errorMessage, TryAgain, Unavailable } from '../../../src/core/errors.ts'
import { describeError, handlersError, type MessageError } from '../../../src/core/message-error.ts'
import { pauseAfterMs } from '../../../src/core/retry-pauses.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { LogFields, Logger } from '../../../src/ports/logger.ts'
import type { HeldMessage, MessageTable } from '../../../src/ports/message-table.ts'
import type { RawMessage } from '../../../src/ports/transport.ts'

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000
/** What a handler needed was away: it is asked again after this, and no try is spent. */
const AWAY_PAUSE_MS = 1_000

export interface Delivery {
  readonly key: string
  readonly messageId: string
  readonly name: string
  readonly tries: number
  error?: MessageError
  /** The handler's own wish for the pause. */
  pauseMs?: number
  /** It could not be tried: the store or the like was away. */
  away?: boolean
}

/**
 * The messages that are with handlers, by delivery id: what bus-core hands back is sometimes a clone of
 * what it was given. Each is settled once, by the first that is said of it; the rest does nothing.
 */
export class Deliveries {
  readonly #messages: MessageTable
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #buried: (told: LogFields) => void
  readonly #open = new Map<string, Delivery>()
  /** Of the open ones and of those that are being settled. */
  readonly #keys = new Set<string>()
  #count = 0

  constructor(parts: {
    readonly messages: MessageTable
    readonly clock: Clock
    readonly logger: Logger
    /** Told of each that has gone to the dead letters. */
    readonly buried: (told: LogFields) => void
  }) {
    this.#messages = parts.messages
    this.#buried = parts.buried
    this.#clock = parts.clock
    this.#logger = parts.logger
  }

  /** The rows that must stay held. */
  get keys(): readonly string[] {
    return [...this.#keys]
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  add({ key, id, tries }: HeldMessage, name: string): RawMessage {
    this.#count += 1
    const delivery = `${key}-${this.#count}`
    this.#open.set(delivery, { key, messageId: id, name, tries })
    this.#keys.add(key)
    return { delivery, tries }
  }

  failed(raw: RawMessage, error: unknown): void {
    const delivery = this.#open.get(raw.delivery)
    if (delivery === undefined) return
    const cause = handlersError(error)
    delivery.error = describeError(cause)
    if (cause instanceof TryAgain) delivery.pauseMs = cause.pauseMs
    delivery.away = cause instanceof Unavailable
  }

  done(raw: RawMessage, signal: AbortSignal): Promise<void> {
    return this.#settle(raw, signal, ({ key }) => this.#messages.done(key))
  }

  bury(raw: RawMessage, signal: AbortSignal): Promise<void> {
    return this.#settle(raw, signal, async (delivery) => {
      const error = delivery.error ?? { name: 'Failed', message: 'its handler gave it up' }
      await this.#bury(delivery, error)
    })
  }

  tryAgain(raw: RawMessage, signal: AbortSignal): Promise<void> {
    return this.#settle(raw, signal, async (delivery) => {
      const { key, messageId, name, tries } = delivery
      const error = delivery.error ?? { name: 'Returned', message: 'its handler returned it' }
      if (delivery.away === true) {
        await this.#clock.sleep(AWAY_PAUSE_MS, signal)
        return this.#messages.giveBack(key)
      }
      const pauseMs = pauseAfterMs(tries + 1) && (delivery.pauseMs ?? pauseAfterMs(tries + 1))
      if (pauseMs === undefined) {
        await this.#bury(delivery, error)
      } else {
        await this.#messages.retry(key, new Date(this.#clock.now().getTime() + pauseMs), error)
        const fields = { messageId, name, tries: tries + 1, error: error.name, pauseMs }
        this.#logger.warn('message.retrying', fields)
      }
    })
  }

  async #bury({ key, messageId, name, tries }: Delivery, error: MessageError): Promise<void> {
    await this.#messages.bury(key, error)
    this.#buried({ messageId, name, tries: tries + 1, error: error.name })
  }

  /**
   * Goes on until the store has taken it, without a word to bus-core, which would spend a try. On
   * shutdown it is left: the message comes again.
   */
  async #settle(
    raw: RawMessage,
    signal: AbortSignal,
    settle: (delivery: Delivery) => Promise<void>,
  ): Promise<void> {
    const delivery = this.#open.get(raw.delivery)
    if (!delivery) return
    this.#open.delete(raw.delivery)
    let pauseMs = FIRST_PAUSE_MS
    for (;;) {
      try {
        await settle(delivery)
        break
      } catch (error) {
        const fields = { messageId: delivery.messageId, error: errorMessage(error) }
        this.#logger.warn('message.unsettled', fields)
        if (signal.aborted) break
      }
      await this.#clock.sleep(pauseMs, signal)
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)
    }
    this.#keys.delete(delivery.key)
  }
}
