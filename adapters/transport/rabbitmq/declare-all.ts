import type { Connection } from 'rabbitmq-client'
import { errorMessage, Rejected, Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import { declare, isForbidden, isRefusal } from './declare.ts'
import { fitsShortString } from './envelope.ts'
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
 * is. `Rejected`: `topology-refused` where something of a name is there already and differs,
 * `topology-forbidden` where something is missing and the user may not declare it.
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
  for (const name of [...names.receives, ...published]) {
    if (fitsShortString(name)) continue
    throw new Rejected('topology-refused', `the name of a message is too long for AMQP: ${name}`)
  }
  await within(LIMIT_MS, clock, 'RabbitMQ has not declared all', async () => {
    try {
      await declare(connection, topology)
    } catch (error) {
      if (isForbidden(error)) throw new Rejected('topology-forbidden', errorMessage(error), error)
      if (isRefusal(error)) throw new Rejected('topology-refused', errorMessage(error), error)
      throw new Unavailable('broker-unavailable', errorMessage(error), error)
    }
  })
  return topology
}
