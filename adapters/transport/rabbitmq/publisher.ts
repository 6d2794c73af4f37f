import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Channel, Connection, Envelope, ReturnedMessage } from 'rabbitmq-client'
import { errorMessage, Rejected, Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { declare, isRefusal } from './declare.ts'
import { LastingChannel } from './lasting-channel.ts'
import { endedBefore, within } from './limit.ts'
import { fanout } from './topology.ts'

/** Less than an outbox row is held for, so that it is given back by who claimed it. */
const CONFIRM_LIMIT_MS = 10_000

/**
 * Publishes with confirms, over a connection of its own: in a memory or disk alarm the broker stops
 * reading from connections that publish, and acknowledgements must not wait behind.
 */
export class ConfirmingPublisher {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #channel: LastingChannel
  /** By channel: what is deleted meanwhile costs the channel, and is declared again on the next. */
  readonly #declared = new WeakMap<Channel, Map<string, Promise<void>>>()
  readonly #underWay = new Map<string, Set<Sent>>()
  /** Exchanges of which one has cost a channel: the user may not write to it. Any may be the one. */
  readonly #suspects = new Set<string>()
  #unblocked: PromiseWithResolvers<void> | undefined

  constructor(parts: {
    readonly connection: Connection
    readonly clock: Clock
    readonly logger: Logger
  }) {
    const { connection, clock, logger } = parts
    this.#connection = connection
    this.#clock = clock
    this.#channel = new LastingChannel({
      ...parts,
      name: 'publisher',
      setUp: (channel) => this.#setUp(channel),
    })
    connection.on('connection.blocked', (reason) => {
      logger.warn('broker.blocked', { reason })
      this.#unblocked ??= Promise.withResolvers()
    })
    const unblock = () => {
      this.#unblocked?.resolve()
      this.#unblocked = undefined
    }
    connection.on('connection.unblocked', () => {
      logger.info('broker.unblocked')
      unblock()
    })
    connection.on('error', unblock)
  }

  /** Whether a message would go out now. */
  get ready(): boolean {
    return this.#channel.current !== undefined && this.#unblocked === undefined
  }

  get channel(): LastingChannel {
    return this.#channel
  }

  /** The channel, as soon as the broker takes messages; undefined when the signal is aborted first. */
  async usable(signal: AbortSignal): Promise<Channel | undefined> {
    for (;;) {
      const channel = await this.#channel.ready(signal)
      if (channel === undefined || this.#unblocked === undefined) return channel
      if (!(await endedBefore(signal, this.#unblocked.promise))) return undefined
    }
  }

  /**
   * To everybody who is bound to messages of this name. Resolves when the broker has confirmed it: with
   * false where it was mandatory and nobody is. `Unavailable` where that is not to be had in time: it
   * may be there all the same. `Rejected` where the broker will not have such an exchange, or not have
   * the user write to it.
   */
  toFanout(name: string, envelope: Envelope, body: Buffer, mandatory: boolean): Promise<boolean> {
    return this.#publish({ ...envelope, exchange: name, mandatory }, body, (channel) =>
      this.#declare(channel, name),
    )
  }

  /** Straight into a queue. `Unavailable` also where it is not there. */
  async toQueue(queue: string, envelope: Envelope, body: Buffer): Promise<void> {
    const to = { ...envelope, exchange: '', routingKey: queue, mandatory: true }
    if (await this.#publish(to, body)) return
    throw new Unavailable('queue-missing', `there is no queue ${queue}`)
  }

  #publish(
    envelope: Envelope,
    body: Buffer,
    prepare?: (channel: Channel) => Promise<void>,
  ): Promise<boolean> {
    return within(CONFIRM_LIMIT_MS, this.#clock, 'the broker has not confirmed', async (signal) => {
      const channel = await this.usable(signal)
      if (channel === undefined) throw away()
      await prepare?.(channel)
      // Given up: sent now, it would come after what its sender does next.
      if (signal.aborted || !channel.active) throw away()
      if (this.#suspects.has(exchangeOf(envelope))) return this.#alone(envelope, body, signal)
      try {
        return await this.#confirmed(channel, envelope, body)
      } catch (error) {
        throw away(error)
      }
    })
  }

  /** On a channel of its own: where that is refused no other message is lost with it. */
  async #alone(envelope: Envelope, body: Buffer, signal: AbortSignal): Promise<boolean> {
    const exchange = exchangeOf(envelope)
    let channel: Channel | undefined
    try {
      channel = await this.#connection.acquire({ emitErrorsFromChannel: true })
      // What ends the channel ends the publishing on it as well, and is told there.
      channel.on('error', () => undefined)
      await this.#prepare(channel)
      signal.throwIfAborted()
      const arrived = await this.#confirmed(channel, envelope, body)
      this.#suspects.delete(exchange)
      return arrived
    } catch (error) {
      if (!isRefusal(error)) throw away(error)
      throw new Rejected('exchange-refused', `exchange ${exchange}: ${errorMessage(error)}`, error)
    } finally {
      await channel?.close()
    }
  }

  async #confirmed(channel: Channel, envelope: Envelope, body: Buffer): Promise<boolean> {
    const key = returnKey(envelope)
    const entry = { channel, exchange: exchangeOf(envelope), returned: false }
    const entries = this.#underWay.get(key) ?? new Set()
    this.#underWay.set(key, entries.add(entry))
    try {
      await channel.basicPublish(envelope, body)
      // The broker returns before it confirms; the client tells of it one turn later.
      await nextTurn()
      return !entry.returned
    } catch (error) {
      // It is told to the first message that is under way, whichever was meant.
      if (isRefusal(error)) this.#suspectAllOn(channel)
      throw error
    } finally {
      entries.delete(entry)
      if (entries.size === 0) this.#underWay.delete(key)
    }
  }

  #suspectAllOn(channel: Channel): void {
    for (const sent of [...this.#underWay.values()].flatMap((same) => [...same])) {
      if (sent.channel === channel) this.#suspects.add(sent.exchange)
    }
  }

  async #setUp(channel: Channel): Promise<void> {
    if (this.#declared.has(channel)) return
    this.#declared.set(channel, new Map())
    await this.#prepare(channel)
  }

  async #prepare(channel: Channel): Promise<void> {
    channel.on('basic.return', (message: ReturnedMessage) => {
      for (const entry of this.#underWay.get(returnKey(message)) ?? []) entry.returned = true
    })
    await channel.confirmSelect()
  }

  /** On a channel of its own: one that is refused takes no message that is under way with it. */
  #declare(channel: Channel, name: string): Promise<void> {
    const declared = this.#declared.get(channel) ?? new Map<string, Promise<void>>()
    const known = declared.get(name)
    if (known !== undefined) return known
    const declaring = declare(this.#connection, fanout(name)).catch((error: unknown) => {
      declared.delete(name)
      if (!isRefusal(error)) throw away(error)
      throw new Rejected('exchange-refused', `exchange ${name}: ${errorMessage(error)}`, error)
    })
    declared.set(name, declaring)
    return declaring
  }
}

interface Sent {
  readonly channel: Channel
  readonly exchange: string
  returned: boolean
}

function exchangeOf({ exchange }: Envelope): string {
  return exchange ?? ''
}

/** Two messages of one key that are under way together have one way to go. */
function returnKey({ exchange, routingKey, messageId }: Envelope | ReturnedMessage): string {
  return JSON.stringify([exchange ?? '', routingKey ?? '', messageId ?? ''])
}

function away(cause?: unknown): Unavailable {
  const why = cause === undefined ? 'no connection' : errorMessage(cause)
  return new Unavailable('broker-unavailable', `the broker has not confirmed: ${why}`, cause)
}
