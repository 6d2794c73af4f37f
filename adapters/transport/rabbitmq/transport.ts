import { randomUUID } from 'node:crypto'
import type {
  CoreDependencies,
  TransportConnectionOptions,
  TransportInitializationOptions,
  TransportMessage,
} from '@node-ts/bus-core'
import type { Command, Event, Message, MessageAttributes } from '@node-ts/bus-messages'
import type { AsyncMessage, Channel, Connection } from 'rabbitmq-client'
import { errorMessage, Rejected, Unavailable } from '../../../src/core/errors.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { readMessage } from '../../../src/core/message-reading.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { DeadLetters, MessageTransport, RawMessage } from '../../../src/ports/transport.ts'
import { closeConnection } from './connection.ts'
import { QueueConsumer } from './consumer.ts'
import { declareAll, type Names } from './declare-all.ts'
import { rabbitmqDeadLetters } from './dead-letters.ts'
import { type Arrived, Deliveries } from './deliveries.ts'
import { asItCame, fitsShortString, newEnvelope, triesOf } from './envelope.ts'
import { Inbox } from './inbox.ts'
import { atMost } from './limit.ts'
import { ConfirmingPublisher } from './publisher.ts'
import type { ServiceQueue, Topology } from './topology.ts'

const STOP_LIMIT_MS = 2_000

/** A message that is in hand and can be read, not yet with a reader. */
interface Readable extends Arrived {
  readonly transportMessage: Omit<TransportMessage<RawMessage>, 'raw'>
}

/**
 * The bus on RabbitMQ, wire-compatible with @node-ts/bus-rabbitmq 1.0.5. Everything that leaves is
 * persistent and confirmed; what is away is waited for, in hand or at the broker, and never given up.
 * Two connections: the broker stops reading from one that publishes when it is short of memory or disk.
 */
export class RabbitmqTransport implements MessageTransport, AsyncDisposable {
  readonly deadLetters: DeadLetters
  readonly #service: ServiceQueue
  readonly #connections: { readonly consuming: Connection; readonly publishing: Connection }
  readonly #clock: Clock
  readonly #publisher: ConfirmingPublisher
  readonly #consumer: QueueConsumer
  readonly #deliveries: Deliveries
  readonly #inbox = new Inbox<Readable>()
  #buried: () => void = () => undefined
  #core: CoreDependencies | undefined
  #stopping = new AbortController()
  #disposing: Promise<void> | undefined

  constructor(parts: {
    readonly service: ServiceQueue
    readonly connections: { readonly consuming: Connection; readonly publishing: Connection }
    readonly clock: Clock
    readonly logger: Logger
  }) {
    const { service, connections, clock, logger } = parts
    this.#service = service
    this.#connections = connections
    this.#clock = clock
    this.#publisher = new ConfirmingPublisher({
      connection: connections.publishing,
      clock,
      logger,
    })
    this.#deliveries = new Deliveries({
      queue: service.queue,
      publisher: this.#publisher,
      again: (arrived) => {
        this.#take(arrived)
      },
      buried: (told) => {
        logger.error('message.dead-lettered', told)
        this.#buried()
      },
      clock,
      logger,
    })
    this.#consumer = new QueueConsumer({
      service,
      connection: connections.consuming,
      deliver: (message, channel) => {
        this.#arrived(message, channel)
      },
      lost: (channel) => {
        this.#inbox.forget((readable) => readable.channel === channel)
      },
      clock,
      logger,
    })
    this.deadLetters = rabbitmqDeadLetters({
      service,
      connection: connections.consuming,
      publisher: this.#publisher,
      clock,
      logger,
    })
  }

  onBuried(listener: () => void): void {
    this.#buried = listener
  }

  prepare(core: CoreDependencies): void {
    this.#core = core
  }

  connect({ concurrency }: TransportConnectionOptions): Promise<void> {
    this.#consumer.prefetch = concurrency
    return Promise.resolve()
  }

  initialize({ handlerRegistry }: TransportInitializationOptions): Promise<void> {
    return this.subscribe(handlerRegistry.getMessageNames())
  }

  /** Where there is no broker now, or it refuses a name, this resolves all the same: see `check`. */
  subscribe(names: readonly string[]): Promise<void> {
    return this.#consumer.bind(names)
  }

  async start(): Promise<void> {
    this.#stopping = new AbortController()
    this.#inbox.open()
    await this.#consumer.start()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#inbox.close()
    // First of all nothing more must come: what is given back would come again at once.
    await atMost(STOP_LIMIT_MS, this.#clock, this.#consumer.stop())
    for (const readable of this.#inbox.empty()) this.#deliveries.giveBack(readable)
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#close()
    return this.#disposing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  /** Resolves when both connections are up, or the signal is aborted. */
  async connected(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#publisher.channel.ready(signal), this.#consumer.channel.ready(signal)])
  }

  async sendable(signal: AbortSignal): Promise<void> {
    await this.#publisher.usable(signal)
  }

  /** Whether messages can come and go now; `Unavailable` says why not. */
  check(): Promise<void> {
    const { channel, refused } = this.#consumer
    const [first] = refused
    let fault: string | undefined
    if (channel.current === undefined || this.#publisher.channel.current === undefined) {
      const failure = channel.failure ?? this.#publisher.channel.failure
      fault = failure === undefined ? 'no connection to RabbitMQ' : errorMessage(failure)
    } else if (!this.#publisher.ready) fault = 'RabbitMQ takes no messages: a resource alarm'
    else if (first !== undefined) fault = `${first[0]} cannot be received: ${first[1]}`
    if (fault === undefined) return Promise.resolve()
    return Promise.reject(new Unavailable('broker-unavailable', fault))
  }

  /**
   * Declares everything that this service has on the broker, so that others may send before its first
   * start. `Rejected` where something of the name is there already and differs.
   */
  topology(names: Names): Promise<Topology> {
    return declareAll(this.#service, names, this.#connections.consuming, this.#clock)
  }

  async publish(event: Event, attributes?: MessageAttributes): Promise<void> {
    await this.#send(randomUUID(), event, attributes, false)
  }

  async send(command: Command, attributes?: MessageAttributes): Promise<void> {
    await this.#send(randomUUID(), command, attributes, true)
  }

  async post(
    id: string,
    message: JsonObject & { readonly $name: string },
    attributes: MessageAttributes,
  ): Promise<void> {
    if (!fitsShortString(id)) throw new Rejected('bad-id', 'a message id has at most 255 bytes')
    await this.#send(id, message, attributes, true)
  }

  async readNextMessage(): Promise<TransportMessage<RawMessage> | undefined> {
    const readable = await this.#inbox.next()
    if (readable === undefined) return undefined
    const { transportMessage, message } = readable
    const { $name } = transportMessage.domainMessage
    const raw = this.#deliveries.add(readable, $name, triesOf(message))
    return { ...transportMessage, raw }
  }

  failed(raw: RawMessage, error: unknown): void {
    this.#deliveries.failed(raw, error)
  }

  deleteMessage({ raw }: TransportMessage<RawMessage>): Promise<void> {
    this.#deliveries.done(raw)
    return Promise.resolve()
  }

  returnMessage({ raw }: TransportMessage<unknown>): Promise<void> {
    return this.#deliveries.tryAgain(raw as RawMessage, this.#stopping.signal)
  }

  fail({ raw }: TransportMessage<unknown>): Promise<void> {
    return this.#deliveries.bury(raw as RawMessage, this.#stopping.signal)
  }

  /** A command that reaches nobody is an error; an event is not. */
  async #send(
    id: string,
    message: { readonly $name: string },
    attributes: MessageAttributes | undefined,
    mandatory: boolean,
  ): Promise<void> {
    const { $name } = message
    if (!fitsShortString($name)) {
      throw new Rejected('unknown-message', 'the name of a message has at most 255 bytes')
    }
    const body = Buffer.from(JSON.stringify(message))
    const envelope = newEnvelope(id, attributes)
    if (await this.#publisher.toFanout($name, envelope, body, mandatory)) return
    throw new Rejected('unknown-message', `nobody handles messages called ${$name}`)
  }

  #arrived(message: AsyncMessage, channel: Channel): void {
    const arrived = { message, channel, arrivedMs: this.#clock.monotonicMs() }
    this.#deliveries.came(arrived)
    this.#take(arrived)
  }

  #take(arrived: Arrived): void {
    if (!arrived.channel.active) return
    const came = asItCame(arrived.message)
    const reading =
      typeof came === 'string'
        ? { unreadable: { name: 'UnreadableMessage', message: came } }
        : readMessage(came, (text) => this.#deserialize(text))
    if ('unreadable' in reading) {
      // Takes as long as the broker takes to confirm; one slot of the prefetch is its own till then.
      void this.#deliveries.buryUnread(arrived, reading.unreadable, this.#stopping.signal)
      return
    }
    const transportMessage = {
      id: arrived.message.messageId,
      domainMessage: reading.message,
      attributes: reading.attributes,
    }
    this.#inbox.put({ ...arrived, transportMessage })
  }

  #deserialize(text: string): Message {
    if (!this.#core) return JSON.parse(text) as Message
    return this.#core.messageSerializer.deserialize(text)
  }

  async #close(): Promise<void> {
    await this.stop()
    await Promise.all(
      [
        { channel: this.#consumer.channel, connection: this.#connections.consuming },
        { channel: this.#publisher.channel, connection: this.#connections.publishing },
      ].map(async ({ channel, connection }) => {
        await channel.close()
        await closeConnection(connection, this.#clock)
        await channel.ended()
      }),
    )
  }
}
