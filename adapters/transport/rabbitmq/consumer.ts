import type { AsyncMessage, Channel, Connection } from 'rabbitmq-client'
import { errorMessage } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { declare, isRefusal } from './declare.ts'
import { LastingChannel } from './lasting-channel.ts'
import {
  LONGEST_NAME_BYTES,
  receivedTopology,
  serviceTopology,
  type ServiceQueue,
} from './topology.ts'

/** Somebody may declare meanwhile what this user may not. */
const REFUSED_AGAIN_MS = 15_000

/** What has been done on one channel. */
interface Progress {
  declared: boolean
  readonly bound: Set<string>
  consumerTag: string | undefined
  /** One thing after the other. */
  last: Promise<void>
  /** Whether what was refused will be tried again. */
  trying: boolean
  readonly closed: AbortController
}

/**
 * The service's queue: declared and bound as soon as there is a broker, consumed while that is wanted,
 * and all of it again on every new channel. What is wanted is kept here; `#sync` makes a channel so, and
 * may be called at any time.
 */
export class QueueConsumer {
  readonly #service: ServiceQueue
  readonly #connection: Connection
  readonly #deliver: (message: AsyncMessage, channel: Channel) => void
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #channel: LastingChannel
  readonly #names = new Set<string>()
  readonly #refused = new Map<string, string>()
  readonly #progress = new WeakMap<Channel, Progress>()
  #prefetch = 1
  #wanted = false

  constructor(parts: {
    readonly service: ServiceQueue
    readonly connection: Connection
    readonly deliver: (message: AsyncMessage, channel: Channel) => void
    /** The channel is gone, with everything that is in hand from it. */
    readonly lost: (channel: Channel) => void
    readonly clock: Clock
    readonly logger: Logger
  }) {
    this.#service = parts.service
    this.#connection = parts.connection
    this.#deliver = parts.deliver
    this.#clock = parts.clock
    this.#logger = parts.logger
    this.#channel = new LastingChannel({
      ...parts,
      name: 'consumer',
      setUp: (channel) => {
        this.#follow(channel, parts.lost)
        return this.#sync(channel)
      },
    })
  }

  get channel(): LastingChannel {
    return this.#channel
  }

  /** Names that the broker would not have bound, each with its reason. */
  get refused(): ReadonlyMap<string, string> {
    return this.#refused
  }

  /** From the next start on. */
  set prefetch(count: number) {
    this.#prefetch = count
  }

  /** Resolves when these are bound; at once where there is no broker: then they are when there is. */
  async bind(names: readonly string[]): Promise<void> {
    for (const name of names) this.#names.add(name)
    await this.#syncCurrent()
  }

  async start(): Promise<void> {
    this.#wanted = true
    await this.#syncCurrent()
  }

  async stop(): Promise<void> {
    this.#wanted = false
    await this.#syncCurrent()
  }

  /** On a channel that ends meanwhile nothing is lost: the next one is made so. */
  async #syncCurrent(): Promise<void> {
    const channel = this.#channel.current
    if (channel === undefined) return
    try {
      await this.#sync(channel)
    } catch (error) {
      this.#logger.warn('channel.failed', { name: 'consumer', error: errorMessage(error) })
      await channel.close()
    }
  }

  #follow(channel: Channel, lost: (channel: Channel) => void): void {
    if (this.#progress.has(channel)) return
    const closed = new AbortController()
    this.#progress.set(channel, {
      declared: false,
      bound: new Set(),
      consumerTag: undefined,
      last: Promise.resolve(),
      trying: false,
      closed,
    })
    channel.once('close', () => {
      closed.abort()
      lost(channel)
    })
    // The queue has been deleted: everything is declared and bound again on a new channel.
    channel.on('basic.cancel', () => {
      this.#logger.warn('consumer.cancelled', { queue: this.#service.queue })
      void channel.close()
    })
  }

  #sync(channel: Channel): Promise<void> {
    const progress = this.#progress.get(channel)
    if (progress === undefined) return Promise.resolve()
    const syncing = progress.last.then(() => this.#make(channel, progress))
    // Who asked for it hears of its failure; the next one begins where it ended.
    progress.last = syncing.catch(() => undefined)
    return syncing
  }

  async #make(channel: Channel, progress: Progress): Promise<void> {
    if (!progress.declared) {
      await declare(this.#connection, serviceTopology(this.#service))
      progress.declared = true
    }
    for (const name of this.#names) {
      if (!progress.bound.has(name) && (await this.#bindOne(name))) progress.bound.add(name)
    }
    if (progress.bound.size < this.#names.size) void this.#tryAgain(progress)
    if (this.#wanted && progress.consumerTag === undefined) {
      await channel.basicQos({ prefetchCount: this.#prefetch })
      const { consumerTag } = await channel.basicConsume(
        { queue: this.#service.queue },
        (message) => {
          this.#deliver(message, channel)
        },
      )
      progress.consumerTag = consumerTag
    } else if (!this.#wanted && progress.consumerTag !== undefined) {
      await channel.basicCancel(progress.consumerTag)
      progress.consumerTag = undefined
    }
  }

  /** A name that the broker refuses must not keep the others from coming. */
  async #bindOne(name: string): Promise<boolean> {
    try {
      if (Buffer.byteLength(name) > LONGEST_NAME_BYTES) {
        return this.#refuse(name, `longer than ${LONGEST_NAME_BYTES} bytes`)
      }
      await declare(this.#connection, receivedTopology(this.#service.queue, [name]))
      this.#refused.delete(name)
      return true
    } catch (error) {
      if (!isRefusal(error)) throw error
      return this.#refuse(name, errorMessage(error))
    }
  }

  #refuse(name: string, reason: string): false {
    if (this.#refused.get(name) !== reason) {
      this.#logger.error('subscription.refused', { name, reason })
    }
    this.#refused.set(name, reason)
    return false
  }

  async #tryAgain(progress: Progress): Promise<void> {
    if (progress.trying) return
    progress.trying = true
    await this.#clock.sleep(REFUSED_AGAIN_MS, progress.closed.signal)
    progress.trying = false
    if (!progress.closed.signal.aborted) await this.#syncCurrent()
  }
}
