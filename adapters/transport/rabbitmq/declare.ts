import { AMQPError, type Channel, type Connection } from 'rabbitmq-client'
import type { DeclaredQueue, Topology } from './topology.ts'

/**
 * Declares what is missing; what is there already, and is the same, stays as it is. Where the user may
 * not configure something, that it is there is enough: then somebody else has declared it.
 */
export async function declare(connection: Connection, topology: Topology): Promise<void> {
  await using channels = new DeclaringChannels(connection)
  for (const { name, type } of topology.exchanges) {
    const exchange = { exchange: name, type, durable: true }
    await orIsThere((passive) =>
      channels.call((channel) => channel.exchangeDeclare({ ...exchange, passive })),
    )
  }
  for (const queue of topology.queues) {
    await orIsThere((passive) =>
      channels.call((channel) => channel.queueDeclare({ ...declaration(queue), passive })),
    )
  }
  for (const binding of topology.bindings) {
    await channels.call((channel) => channel.queueBind(binding))
  }
}

function declaration({ name, arguments: args }: DeclaredQueue) {
  return { queue: name, durable: true, arguments: { ...args } }
}

/** Whether the broker has said no, and will say so again. */
export function isRefusal(error: unknown): boolean {
  return hasCode(error, 'PRECONDITION_FAILED', 'ACCESS_REFUSED', 'NOT_ALLOWED', 'COMMAND_INVALID')
}

export function isForbidden(error: unknown): boolean {
  return hasCode(error, 'ACCESS_REFUSED')
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof AMQPError && codes.includes(error.code)
}

/**
 * To ask passively first would take a queue with other arguments for the right one. What is missing is
 * told by the refusal, which names the right that the user lacks.
 */
async function orIsThere(declaring: (passive: boolean) => Promise<unknown>): Promise<void> {
  try {
    await declaring(false)
  } catch (refusal) {
    if (!isForbidden(refusal)) throw refusal
    try {
      await declaring(true)
    } catch (error) {
      throw hasCode(error, 'NOT_FOUND') ? refusal : error
    }
  }
}

/** One channel after the other: a refusal ends the one that it comes on. */
class DeclaringChannels implements AsyncDisposable {
  readonly #connection: Connection
  #channel: Channel | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async call(run: (channel: Channel) => Promise<unknown>): Promise<void> {
    await run(await this.#open())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel?.close()
  }

  async #open(): Promise<Channel> {
    if (this.#channel?.active === true) return this.#channel
    this.#channel = await this.#connection.acquire({ emitErrorsFromChannel: true })
    // What ends the channel ends a call on it as well, and is told there.
    this.#channel.on('error', () => undefined)
    return this.#channel
  }
}
