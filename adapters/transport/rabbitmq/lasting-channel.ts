import type { Channel, Connection } from 'rabbitmq-client'
import { errorMessage } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { keepBytes } from './bytes.ts'
import { atMost } from './limit.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
const CLOSE_LIMIT_MS = 2_000

export interface LastingChannelParts {
  readonly connection: Connection
  /** What it is for, as it is logged. */
  readonly name: string
  /**
   * Makes a new channel what it is to be. It is called once more when the channel is in use, so that
   * what was wished for meanwhile is not forgotten; then it finds nothing to do.
   */
  readonly setUp: (channel: Channel) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * A channel that is set up anew, for ever, whenever it or its connection is gone. What arrives here as a
 * failure: refused declarations (406, 403), acknowledgements that came too late (406), a consumer's
 * timeout, and everything that ends the connection.
 */
export class LastingChannel {
  readonly #parts: LastingChannelParts
  readonly #closing = new AbortController()
  readonly #waiting = new Set<() => void>()
  readonly #running: Promise<void>
  #current: Channel | undefined
  #failure: unknown

  constructor(parts: LastingChannelParts) {
    this.#parts = parts
    this.#running = this.#run()
  }

  /** The channel, where it is set up and alive. */
  get current(): Channel | undefined {
    return this.#current?.active === true ? this.#current : undefined
  }

  /** Why it could last not be set up. */
  get failure(): unknown {
    return this.#failure
  }

  /** The channel, as soon as there is one; undefined when the signal is aborted first. */
  async ready(signal: AbortSignal): Promise<Channel | undefined> {
    while (this.current === undefined && !signal.aborted && !this.#closing.signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        this.#waiting.add(wake)
        signal.addEventListener('abort', wake)
      })
    }
    return this.current
  }

  /** Gives the present one up, for a new one. */
  async renew(): Promise<void> {
    await this.#current?.close()
  }

  /** Gives it up for good, unsettled deliveries included. The connection is to be closed next. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#wakeAll()
    if (this.#current === undefined) return
    await atMost(CLOSE_LIMIT_MS, this.#parts.clock, this.#current.close())
  }

  /** Resolves when nothing is under way any more: after `close`, and its connection's end. */
  ended(): Promise<void> {
    return this.#running
  }

  async #run(): Promise<void> {
    const { connection, name, setUp, clock, logger } = this.#parts
    const { signal: closing } = this.#closing
    let failures = 0
    while (!closing.aborted) {
      try {
        const channel = await connection.acquire({ emitErrorsFromChannel: true })
        const closed = new Promise<void>((resolve) => channel.once('close', resolve))
        channel.on('error', (error) => {
          logger.warn('channel.failed', { name, error: errorMessage(error) })
        })
        keepBytes(channel)
        try {
          await setUp(channel)
          this.#current = channel
          await setUp(channel)
        } catch (error) {
          await channel.close()
          throw error
        }
        this.#failure = undefined
        failures = 0
        this.#wakeAll()
        await closed
      } catch (error) {
        // While there is no connection this comes every 20 s, and the connection has said so already.
        this.#failure = error
        failures += 1
        logger.warn('channel.not-ready', { name, failures, error: errorMessage(error) })
      }
      this.#current = undefined
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10))
      await clock.sleep(pauseMs * (0.5 + Math.random() / 2), closing)
    }
  }

  #wakeAll(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
