import { randomUUID } from 'node:crypto'
import type {
  CoreDependencies,
  TransportInitializationOptions,
  TransportMessage,
} from '@node-ts/bus-core'
import type { Command, Event, Message, MessageAttributes } from '@node-ts/bus-messages'
import { errorMessage, Rejected } from '../../../src/core/errors.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { readMessage } from '../../../src/core/message-reading.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { LogFields, Logger } from '../../../src/ports/logger.ts'
import type { HeldMessage, MessageTable } from '../../../src/ports/message-table.ts'
import type { Store } from '../../../src/ports/store.ts'
import type { DeadLetters, MessageTransport, RawMessage } from '../../../src/ports/transport.ts'
import { embeddedDeadLetters } from './dead-letters.ts'
import { Deliveries } from './deliveries.ts'
import { Inbox, type Opened } from './inbox.ts'

/** Holds are renewed three times in this while a handler is at work, however slow. */
const HOLD_MS = 60_000

export interface EmbeddedTransportOptions {
  readonly store: Pick<Store, 'messages' | 'onWrite'>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * The bus inside the store: for a daemon that needs no broker. A message is a row; what nobody here
 * subscribes to is published to nobody, and refused where it is a command.
 */
export class EmbeddedTransport implements MessageTransport {
  readonly deadLetters: DeadLetters
  readonly #messages: MessageTable
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #names = new Set<string>()
  readonly #deliveries: Deliveries
  readonly #inbox: Inbox<TransportMessage<RawMessage>>
  readonly #unlisten: () => void
  #buried: () => void = () => undefined
  #core: CoreDependencies | undefined
  #stopping = new AbortController()
  #renewing: Promise<void> = Promise.resolve()

  constructor({ store, clock, logger }: EmbeddedTransportOptions) {
    this.#messages = store.messages
    this.#clock = clock
    this.#logger = logger
    this.deadLetters = embeddedDeadLetters(store.messages)
    const buried = (told: LogFields) => {
      logger.error('message.dead-lettered', told)
      this.#buried()
    }
    this.#deliveries = new Deliveries({ messages: store.messages, clock, logger, buried })
    this.#inbox = new Inbox({
      messages: store.messages,
      clock,
      logger,
      holdMs: HOLD_MS,
      open: (message) => this.#open(message),
      buried,
    })
    this.#unlisten = store.onWrite('messages', () => {
      this.#inbox.wake()
    })
  }

  onBuried(listener: () => void): void {
    this.#buried = listener
  }

  prepare(core: CoreDependencies): void {
    this.#core = core
  }

  initialize({ handlerRegistry }: TransportInitializationOptions): Promise<void> {
    return this.subscribe(handlerRegistry.getMessageNames())
  }

  subscribe(names: readonly string[]): Promise<void> {
    for (const name of names) this.#names.add(name)
    return Promise.resolve()
  }

  start(): Promise<void> {
    this.#stopping = new AbortController()
    this.#inbox.start()
    this.#renewing = this.#renew(this.#stopping.signal)
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#inbox.stop()
    await this.#renewing
  }

  async dispose(): Promise<void> {
    await this.stop()
    this.#unlisten()
  }

  async publish(event: Event, attributes?: MessageAttributes): Promise<void> {
    if (this.#names.has(event.$name)) await this.#put(randomUUID(), event, attributes)
  }

  async send(command: Command, attributes?: MessageAttributes): Promise<void> {
    this.#expectKnown(command.$name)
    await this.#put(randomUUID(), command, attributes)
  }

  async post(
    id: string,
    message: JsonObject & { readonly $name: string },
    attributes: MessageAttributes,
  ): Promise<void> {
    this.#expectKnown(message.$name)
    await this.#put(id, message, attributes)
  }

  readNextMessage(): Promise<TransportMessage<RawMessage> | undefined> {
    return this.#inbox.next()
  }

  failed(raw: RawMessage, error: unknown): void {
    this.#deliveries.failed(raw, error)
  }

  deleteMessage({ raw }: TransportMessage<RawMessage>): Promise<void> {
    return this.#deliveries.done(raw, this.#stopping.signal)
  }

  returnMessage({ raw }: TransportMessage<unknown>): Promise<void> {
    return this.#deliveries.tryAgain(raw as RawMessage, this.#stopping.signal)
  }

  fail({ raw }: TransportMessage<unknown>): Promise<void> {
    return this.#deliveries.bury(raw as RawMessage, this.#stopping.signal)
  }

  #open(held: HeldMessage): Opened<TransportMessage<RawMessage>> {
    if (this.#deliveries.has(held.key)) return 'in-hand'
    const reading = readMessage(held, (text) => this.#deserialize(text))
    if ('unreadable' in reading) return reading
    const raw = this.#deliveries.add(held, reading.message.$name)
    return {
      message: {
        id: held.id,
        domainMessage: reading.message,
        attributes: reading.attributes,
        raw,
      },
    }
  }

  #deserialize(text: string): Message {
    if (!this.#core) return JSON.parse(text) as Message
    return this.#core.messageSerializer.deserialize(text)
  }

  #expectKnown(name: string): void {
    if (this.#names.has(name)) return
    throw new Rejected('unknown-message', `nothing here handles messages called ${name}`)
  }

  async #put(id: string, message: object, attributes?: MessageAttributes): Promise<void> {
    await this.#messages.put({
      id,
      body: new TextEncoder().encode(JSON.stringify(message)),
      headers: {
        ...(attributes?.correlationId !== undefined && {
          correlationId: attributes.correlationId,
        }),
        attributes: JSON.stringify(attributes?.attributes ?? {}),
        stickyAttributes: JSON.stringify(attributes?.stickyAttributes ?? {}),
      },
    })
  }

  async #renew(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      await this.#clock.sleep(HOLD_MS / 3, stopping)
      try {
        await this.#messages.renew(this.#deliveries.keys, HOLD_MS)
      } catch (error) {
        // Comes again in a while; should a hold lapse, what is in hand is not given out a second time.
        this.#logger.warn('messages.not-renewed', { error: errorMessage(error) })
      }
    }
  }
}
