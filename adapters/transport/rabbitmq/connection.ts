import { isIP } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { Connection, type ConnectionOptions } from 'rabbitmq-client'
import { errorMessage, Rejected } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { atMost } from './limit.ts'

/** A silent peer is given up after twice this. The client's own minute would make it two. */
const HEARTBEAT_SECONDS = 10
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000
const CLOSE_LIMIT_MS = 2_000

/**
 * The server's own default. The client splits bodies by this figure and not by what is negotiated, and
 * headers must fit into one frame: a smaller one would refuse messages that others could send.
 */
const FRAME_MAX = 131_072

export interface BrokerAddress {
  /** `amqp://` or `amqps://`, with user, vhost and, if wanted, `?heartbeat=` in seconds. */
  readonly url: string
  /** Takes the place of the one in the URL. */
  readonly password?: string
  readonly tls?: TlsOptions
}

/** `Rejected` where the URL is none; neither it nor the password is in the error. */
export function connectionOptions(address: BrokerAddress, purpose: string): ConnectionOptions {
  const url = URL.parse(address.url)
  if (url === null || !/^amqps?:$/.test(url.protocol)) {
    throw new Rejected('bad-bus-url', 'the URL of RabbitMQ must begin with amqp:// or amqps://')
  }
  const { password, tls } = address
  if (password !== undefined) url.password = encodeURIComponent(password)
  const port = Number(url.port || (url.protocol === 'amqps:' ? 5671 : 5672))
  // The client hands an IPv6 address to the socket in its brackets.
  const ipv6 = /^\[(.*)\]$/.exec(url.hostname)?.[1]
  return {
    url: url.href,
    connectionName: `longhaul (${purpose})`,
    heartbeat: HEARTBEAT_SECONDS,
    frameMax: FRAME_MAX,
    retryLow: FIRST_PAUSE_MS,
    retryHigh: LONGEST_PAUSE_MS,
    noDelay: true,
    ...(url.protocol === 'amqps:' && { tls: { ...serverName(url.hostname, ipv6), ...tls } }),
    ...(ipv6 !== undefined && { socket: { host: ipv6, port } }),
  }
}

/** Node tells a server which name is wanted (SNI) only where it is given the name once more. */
function serverName(host: string, ipv6: string | undefined): TlsOptions {
  return ipv6 === undefined && isIP(host) === 0 ? { servername: host } : {}
}

/** Connects, and for ever again with growing, jittered pauses; says so once an outage. */
export function connect(address: BrokerAddress, purpose: string, logger: Logger): Connection {
  const connection = new Connection(connectionOptions(address, purpose))
  connection.on('connection', () => {
    logger.info('broker.connected', { purpose })
  })
  connection.on('error', (error) => {
    logger.warn('broker.disconnected', { purpose, error: errorMessage(error) })
  })
  return connection
}

/** Ends it in good order, or at once where the other side does not answer in time. */
export async function closeConnection(connection: Connection, clock: Clock): Promise<void> {
  await atMost(CLOSE_LIMIT_MS, clock, connection.close())
  // Where it did not close in time it never says so, destroyed or not.
  connection.unsafeDestroy()
}
