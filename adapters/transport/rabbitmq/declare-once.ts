import { AMQPError, Connection } from 'rabbitmq-client'
import { errorMessage, Rejected, Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { type BrokerAddress, closeConnection, connectionOptions } from './connection.ts'
import { declareAll, type Names } from './declare-all.ts'
import { within } from './limit.ts'
import type { ServiceQueue, Topology } from './topology.ts'

const CONNECT_LIMIT_MS = 10_000

/**
 * Declares all that a service has on the broker, over a connection that is closed again; says what that
 * is. `Unavailable` where there is no broker now. `Rejected`: `bad-bus-url`, `bus-login` (user, password
 * or virtual host), `topology-refused` and `topology-forbidden` (see `declareAll`).
 */
export async function declareOnce(
  broker: BrokerAddress & ServiceQueue & { readonly clock: Clock },
  names: Names,
): Promise<Topology> {
  const { queue, quorum, clock } = broker
  const connection = new Connection(connectionOptions(broker, `${queue}, topology`))
  // What ends the connection later ends the call that is under way as well.
  connection.on('error', () => undefined)
  try {
    await within(CONNECT_LIMIT_MS, clock, 'RabbitMQ has not answered', () => connected(connection))
    return await declareAll({ queue, quorum }, names, connection, clock)
  } finally {
    await closeConnection(connection, clock)
  }
}

/** The client would try for ever; the first failure tells a person more. */
export function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.once('connection', resolve)
    connection.once('error', (error: unknown) => {
      const said = errorMessage(error)
      const login = error instanceof AMQPError && REFUSED_LOGINS.has(error.code)
      reject(
        login
          ? new Rejected('bus-login', `RabbitMQ lets nobody in like this: ${said}`, error)
          : new Unavailable('broker-unavailable', `RabbitMQ does not answer: ${said}`, error),
      )
    })
  })
}

/** Of the user and its password; of the virtual host. */
const REFUSED_LOGINS: ReadonlySet<string> = new Set(['ACCESS_REFUSED', 'NOT_ALLOWED'])
