import type { Connection } from 'rabbitmq-client'
import { errorMessage, Rejected, Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { declare, isRefusal } from './declare.ts'
import { within } from './limit.ts'
import { receivedTopology, serviceTopology, type ServiceQueue, type Topology } from './topology.ts'

const LIMIT_MS = 10_000

/** The names of the messages that a service has to do with. */
export interface Names {
  readonly receives: readonly string[]
  readonly publishes: readonly string[]
}

/**
 * Declares all that a service has on the broker, its messages' exchanges included, and says what that
 * is. `Rejected` where something of a name is there already and differs.
 */
export async function declareAll(
  service: ServiceQueue,
  names: Names,
  connection: Connection,
  clock: Clock,
): Promise<Topology> {
  const own = serviceTopology(service)
  const received = receivedTopology(service.queue, names.receives)
  const published = names.publishes.filter((name) => !names.receives.includes(name))
  const topology: Topology = {
    exchanges: [
      ...own.exchanges,
      ...received.exchanges,
      ...published.map((name) => ({ name, type: 'fanout' as const })),
    ],
    queues: own.queues,
    bindings: [...own.bindings, ...received.bindings],
  }
  await within(LIMIT_MS, clock, 'RabbitMQ has not declared all', async () => {
    try {
      await declare(connection, topology)
    } catch (error) {
      if (isRefusal(error)) throw new Rejected('topology-refused', errorMessage(error), error)
      throw new Unavailable('broker-unavailable', errorMessage(error), error)
    }
  })
  return topology
}
