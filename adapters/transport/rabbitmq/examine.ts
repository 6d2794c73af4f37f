import { AMQPError, Connection } from 'rabbitmq-client'
import { errorMessage, Rejected, Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { type BrokerAddress, closeConnection, connectionOptions } from './connection.ts'
import { connected } from './declare-once.ts'
import { within } from './limit.ts'
import { serverVersion } from './server-version.ts'

const LIMIT_MS = 10_000

/** What can be told of a broker from outside. */
export interface BrokerFacts {
  readonly version: string
  /** The service's queue, where it is there. */
  readonly queue?: { readonly messages: number; readonly consumers: number }
}

/**
 * Looks at the broker as the service's user, and declares nothing. Throws `Rejected` (`bad-bus-url`,
 * `bus-login`, `bus-forbidden`) or `Unavailable`.
 */
export async function examineBroker(
  broker: BrokerAddress & { readonly queue: string; readonly clock: Clock },
): Promise<BrokerFacts> {
  const { queue, clock } = broker
  const version = await serverVersion(broker)
  const connection = new Connection(connectionOptions(broker, `${queue}, doctor`))
  // What ends the connection later ends the call that is under way as well.
  connection.on('error', () => undefined)
  try {
    return await within(LIMIT_MS, clock, 'RabbitMQ has not answered', async () => {
      await connected(connection)
      const found = await lookAt(connection, queue)
      return { version, ...(found !== undefined && { queue: found }) }
    })
  } finally {
    await closeConnection(connection, clock)
  }
}

async function lookAt(connection: Connection, queue: string): Promise<BrokerFacts['queue']> {
  const channel = await connection.acquire({ emitErrorsFromChannel: true })
  // What ends the channel ends a call on it as well, and is told there.
  channel.on('error', () => undefined)
  try {
    const { messageCount, consumerCount } = await channel.queueDeclare({ queue, passive: true })
    return { messages: messageCount, consumers: consumerCount }
  } catch (error) {
    if (!(error instanceof AMQPError)) throw error
    if (error.code === 'NOT_FOUND') return undefined
    if (error.code === 'ACCESS_REFUSED') {
      throw new Rejected('bus-forbidden', errorMessage(error), error)
    }
    throw new Unavailable('broker-unavailable', errorMessage(error), error)
  } finally {
    await channel.close()
  }
}
