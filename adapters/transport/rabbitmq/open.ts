import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { type BrokerAddress, connect, connectionOptions } from './connection.ts'
import { RabbitmqTransport } from './transport.ts'

const FIRST_CONNECTION_MS = 5_000

export interface RabbitmqTransportOptions extends BrokerAddress {
  /** The service's queue; several daemons share one. */
  readonly queue: string
  /** Classic queues where false: not replicated, and a pause is then ended by the broker unconfirmed. */
  readonly quorum?: boolean
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Connects and declares the service's queues. A broker that is not there within 5 s does not hold the
 * caller up: it is connected to when it comes, and everything is declared then. Disposing of the
 * transport closes its connections. `Rejected` for a URL that is none.
 */
export async function openRabbitmqTransport(
  options: RabbitmqTransportOptions,
): Promise<RabbitmqTransport> {
  const { queue, quorum = true, clock, logger } = options
  connectionOptions(options, queue) // refuses before anything is opened
  const transport = new RabbitmqTransport({
    service: { queue, quorum },
    connections: {
      consuming: connect(options, `${queue}, consuming`, logger),
      publishing: connect(options, `${queue}, publishing`, logger),
    },
    clock,
    logger,
  })
  const connected = new AbortController()
  const limit = new AbortController()
  const timer = clock.sleep(FIRST_CONNECTION_MS, connected.signal).then(() => {
    limit.abort()
  })
  await transport.connected(limit.signal)
  if (limit.signal.aborted) logger.warn('broker.awaited', { afterMs: FIRST_CONNECTION_MS })
  connected.abort()
  await timer
  return transport
}
