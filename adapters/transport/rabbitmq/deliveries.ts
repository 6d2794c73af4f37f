import { randomUUID } from 'node:crypto'
import type { Channel } from 'rabbitmq-client'
import { errorMessage, TryAgain, Unavailable } from '../../../src/core/errors.ts'
import { describeError, handlersError, type MessageError } from '../../../src/core/message-error.ts'
import { pauseAfterMs, RETRY_PAUSES_MS } from '../../../src/core/retry-pauses.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { LogFields, Logger } from '../../../src/ports/logger.ts'
import type { RawMessage } from '../../../src/ports/transport.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { copyEnvelope, errorHeaders, failureHeaders, HEADER, type Received } from './envelope.ts'
import type { ConfirmingPublisher } from './publisher.ts'
import { deadLetterName, nearestPauseMs, retryName } from './topology.ts'

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000
/** What a handler needed was away: it is asked again after this, and no try is spent. */
const AWAY_PAUSE_MS = 1_000
/**
 * As long as that goes on, the message stays in hand: giving it back to the broker counts against its
 * limit of deliveries. After this it is sent anew, well before the broker's own patience with
 * unacknowledged messages (30 minutes) ends.
 */
const AWAY_IN_HAND_MS = 300_000

/** A message with the one channel that can settle it. */
export interface Arrived {
  readonly message: Received
  readonly channel: Channel
  /** On the monotonic clock. */
  readonly arrivedMs: number
}

interface Delivery extends Arrived {
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
 * what it was given. Each is settled once, by the first that is said of it; the rest does nothing. A
 * message goes on as a copy, and is acknowledged when the broker has confirmed the copy: a crash between
 * the two makes two of one, never none. Where its channel is gone nothing is done: the broker brings it
 * again.
 */
export class Deliveries {
  readonly #queue: string
  readonly #publisher: ConfirmingPublisher
  readonly #again: (arrived: Arrived) => void
  readonly #buried: (told: LogFields) => void
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #acknowledgements = new Acknowledgements()
  readonly #open = new Map<string, Delivery>()
  #count = 0

  constructor(parts: {
    readonly queue: string
    readonly publisher: ConfirmingPublisher
    /** Hands a message out once more that is still in hand. */
    readonly again: (arrived: Arrived) => void
    /** Told of each that has gone to the dead letters. */
    readonly buried: (told: LogFields) => void
    readonly clock: Clock
    readonly logger: Logger
  }) {
    this.#queue = parts.queue
    this.#publisher = parts.publisher
    this.#again = parts.again
    this.#buried = parts.buried
    this.#clock = parts.clock
    this.#logger = parts.logger
  }

  /** Every message, as it comes over a channel. */
  came({ channel, message }: Arrived): void {
    this.#acknowledgements.came(channel, message.deliveryTag)
  }

  /** To the broker, for whoever comes next. */
  giveBack({ channel, message }: Arrived): void {
    this.#acknowledgements.giveBack(channel, message.deliveryTag)
  }

  add(arrived: Arrived, name: string, tries: number): RawMessage {
    this.#count += 1
    const delivery = String(this.#count)
    this.#open.set(delivery, { ...arrived, name, tries })
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

  done(raw: RawMessage): void {
    const delivery = this.#take(raw)
    if (delivery !== undefined) this.#acknowledge(delivery)
  }

  async bury(raw: RawMessage, stopping: AbortSignal): Promise<void> {
    const delivery = this.#take(raw)
    if (delivery === undefined) return
    const error = delivery.error ?? { name: 'Failed', message: 'its handler gave it up' }
    await this.#bury(delivery, delivery.tries + 1, error, stopping, delivery.name)
  }

  /** What cannot be read has been tried once. */
  async buryUnread(arrived: Arrived, error: MessageError, stopping: AbortSignal): Promise<void> {
    await this.#bury(arrived, 1, error, stopping)
  }

  async tryAgain(raw: RawMessage, stopping: AbortSignal): Promise<void> {
    const delivery = this.#take(raw)
    if (delivery === undefined) return
    if (delivery.away === true) return this.#wait(delivery, stopping)
    const { message, name } = delivery
    const tries = delivery.tries + 1
    const error = delivery.error ?? { name: 'Returned', message: 'its handler returned it' }
    const pauseMs = pauseAfterMs(tries)
    if (pauseMs === undefined) return this.#bury(delivery, tries, error, stopping, name)
    const hopMs = nearestPauseMs(delivery.pauseMs ?? pauseMs)
    const headers = failureHeaders(message, tries, this.#clock.now())
    if (!(await this.#moveTo(retryName(this.#queue, hopMs), delivery, headers, stopping))) return
    const fields = { messageId: idOf(message), name, tries, error: error.name, pauseMs: hopMs }
    this.#logger.warn('message.retrying', fields)
  }

  async #wait(delivery: Delivery, stopping: AbortSignal): Promise<void> {
    await this.#clock.sleep(AWAY_PAUSE_MS, stopping)
    if (stopping.aborted) this.giveBack(delivery)
    else if (this.#clock.monotonicMs() - delivery.arrivedMs < AWAY_IN_HAND_MS) this.#again(delivery)
    else {
      const queue = retryName(this.#queue, RETRY_PAUSES_MS[0])
      await this.#moveTo(queue, delivery, {}, stopping)
    }
  }

  async #bury(
    arrived: Arrived,
    tries: number,
    error: MessageError,
    stopping: AbortSignal,
    name?: string,
  ): Promise<void> {
    const { message } = arrived
    const headers = {
      ...failureHeaders(message, tries, this.#clock.now()),
      ...errorHeaders(error),
      [HEADER.letter]: randomUUID(),
    }
    if (!(await this.#moveTo(deadLetterName(this.#queue), arrived, headers, stopping))) return
    this.#buried({ messageId: idOf(message), name, tries, error: error.name })
  }

  /**
   * Goes on until the copy is confirmed, without a word to bus-core, which would spend a try. On
   * shutdown, or when its channel is gone, it is left: the message comes again.
   */
  async #moveTo(
    queue: string,
    arrived: Arrived,
    headers: Readonly<Record<string, unknown>>,
    stopping: AbortSignal,
  ): Promise<boolean> {
    const { message, channel } = arrived
    let pauseMs = FIRST_PAUSE_MS
    while (channel.active) {
      try {
        await this.#publisher.toQueue(queue, copyEnvelope(message, headers), message.body)
        this.#acknowledge(arrived)
        return true
      } catch (error) {
        const fields = { messageId: idOf(message), error: errorMessage(error) }
        this.#logger.warn('message.unsettled', fields)
        if (stopping.aborted) break
      }
      await this.#clock.sleep(pauseMs, stopping)
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)
    }
    return false
  }

  #acknowledge({ channel, message }: Arrived): void {
    this.#acknowledgements.done(channel, message.deliveryTag)
  }

  #take({ delivery }: RawMessage): Delivery | undefined {
    const taken = this.#open.get(delivery)
    this.#open.delete(delivery)
    return taken
  }
}

function idOf({ messageId }: Received): string {
  return messageId ?? ''
}
