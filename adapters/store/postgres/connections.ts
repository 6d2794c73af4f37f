import { Socket } from 'node:net'
import { Client, Pool, type ClientConfig } from 'pg'
import { errorMessage, Rejected } from '../../../src/core/errors.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Value } from '../sql/statement.ts'

export interface Target {
  /** `postgres://…`, or `postgres:///name?host=/folder` for a socket. */
  readonly url: string
  /** In place of the URL's. */
  readonly password?: string
  readonly applicationName: string
}

export interface Limits {
  readonly connections: number
  /** For a connection: to be made, or to be free. */
  readonly connectMs: number
  /** For a statement, by the server's clock. The client waits a little longer. */
  readonly statementMs: number
}

/** The server ends a transaction that says nothing for so long: its client is frozen or cut off. */
export const IDLE_IN_TRANSACTION_MS = 3_000
/** How much longer than the server the client waits for a statement: then the network is frozen. */
const ANSWER_MS = 1_500
const IDLE_CONNECTION_MS = 60_000
const KEEP_ALIVE_MS = 10_000
/** How long connections have to say goodbye. */
const GOODBYE_MS = 500

const INT8 = 20
const INT4 = 23
const BYTEA = 17

/** The types of values that our statements give: numbers, text and bytes. */
const TYPES = {
  getTypeParser: (oid: number): ((value: string) => Value) => {
    if (oid === INT8 || oid === INT4) return safeInteger
    return oid === BYTEA ? bytes : String
  },
}

/** Connections that are opened as they are needed, up to a limit. */
export interface Connections extends AsyncDisposable {
  readonly pool: Pool
  readonly limits: Limits
}

export function openConnections(target: Target, limits: Limits, logger: Logger): Connections {
  const sockets = new Set<Socket>()
  const pool = new Pool({
    ...clientConfig(target, sockets),
    max: limits.connections,
    connectionTimeoutMillis: limits.connectMs,
    query_timeout: limits.statementMs + ANSWER_MS,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
  })
  pool.on('error', (error) => {
    logger.debug('store.connection-lost', { error: errorMessage(error) })
  })
  // What happens to a connection in use is told by its next statement; without a listener it would
  // end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return {
    pool,
    limits,
    async [Symbol.asyncDispose]() {
      await goodbye(pool.end(), sockets)
    },
  }
}

/** One connection of its own. */
export function createClient(
  target: Target,
  { connectMs, statementMs }: Omit<Limits, 'connections'>,
): AsyncDisposable & { readonly client: Client } {
  const sockets = new Set<Socket>()
  const client = new Client({
    ...clientConfig(target, sockets),
    connectionTimeoutMillis: connectMs,
    query_timeout: statementMs,
  })
  return {
    client,
    async [Symbol.asyncDispose]() {
      await goodbye(client.end(), sockets)
    },
  }
}

/** A frozen network answers no goodbye, and would keep the process. */
async function goodbye(ended: Promise<void>, sockets: ReadonlySet<Socket>): Promise<void> {
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy()
  }, GOODBYE_MS)
  try {
    await ended
  } finally {
    clearTimeout(timer)
    for (const socket of sockets) socket.destroy()
  }
}

/**
 * Nothing in it is a parameter that the server is told at the start of a session, but the application's
 * name: pgbouncer refuses others, and a session's settings are not ours behind it.
 */
function clientConfig(
  { url, password, applicationName }: Target,
  sockets: Set<Socket>,
): ClientConfig {
  if (!/^(postgres|postgresql):\/\//.test(url)) {
    throw new Rejected('store-url', 'the URL of the database must begin with postgres://')
  }
  const connectionString = password === undefined ? url : withPassword(url, password)
  try {
    // What it makes of the URL, and of files that are named in it, is thrown at once.
    new Client({ connectionString })
  } catch (error) {
    throw new Rejected(
      'store-url',
      `the URL of the database cannot be used: ${errorMessage(error)}`,
      error,
    )
  }
  return {
    connectionString,
    application_name: applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: TYPES,
    stream: () => {
      const socket = new Socket()
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  }
}

/** As a parameter, because that is read before the one in front of the host, which may be absent. */
function withPassword(url: string, password: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}password=${encodeURIComponent(password)}`
}

function safeInteger(value: string): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw new Rejected('store-damaged', `the store holds a number out of range: ${value}`)
}

/** `\x` and two digits a byte. */
function bytes(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value.slice(2), 'hex'))
}
