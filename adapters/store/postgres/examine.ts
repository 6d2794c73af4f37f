import type { Client } from 'pg'
import { errorMessage } from '../../../src/core/errors.ts'
import { createClient } from './connections.ts'
import { openingError, storeError } from './errors.ts'

const LIMITS = { connectMs: 5_000, statementMs: 5_000 }

/** What can be told of a server and of what it lets its user do. */
export interface PostgresFacts {
  /** As the server says it: `15.18`. */
  readonly version: string
  /** 15 of `15.18`. */
  readonly major: number
  /** It takes no writes: a standby, or one that is set so. */
  readonly readOnly: boolean
  /** By its own clock, at some moment of the call. */
  readonly now: Date
  /** Tables of ours of which the user may not do all that a daemon does. */
  readonly forbidden: readonly string[]
  /** Why others' writes cannot be listened for, where they cannot. */
  readonly deaf?: string
}

interface Row {
  readonly version: string
  readonly now_ms: string
  readonly read_only: string
}

/**
 * Looks at the server over one connection, and writes nothing. Throws `Rejected` (`store-login`,
 * `store-url`) or `Unavailable`.
 */
export async function examinePostgres(options: {
  readonly url: string
  readonly password?: string
  readonly listenUrl?: string
}): Promise<PostgresFacts> {
  const { url, listenUrl } = options
  const facts = await connected(options, url, async (client) => {
    const { rows } = await client.query<Row>(
      `SELECT current_setting('server_version') AS version,
        floor(extract(epoch FROM clock_timestamp()) * 1000)::TEXT AS now_ms,
        (pg_is_in_recovery() OR current_setting('transaction_read_only')::BOOL)::TEXT AS read_only`,
    )
    const [row] = rows
    const tables = await client.query<{ readonly name: string }>(
      `SELECT relname AS name FROM pg_class
        WHERE relkind = 'r' AND relnamespace = current_schema()::TEXT::regnamespace
          AND relname IN ('remembered', 'leases', 'definitions', 'tasks', 'attempts',
            'applied_commands', 'events', 'messages')
          AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
            AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
        ORDER BY relname`,
    )
    const version = row?.version.split(' ')[0] ?? ''
    return {
      version,
      major: Number.parseInt(version, 10),
      readOnly: row?.read_only === 'true',
      now: new Date(Number(row?.now_ms)),
      forbidden: tables.rows.map(({ name }) => name),
    }
  })
  const deaf = await deafness(options, listenUrl ?? url)
  return { ...facts, ...(deaf !== undefined && { deaf }) }
}

/** Two sessions would be needed to hear something; that LISTEN lasts is what a pooler does not give. */
async function deafness(
  options: { readonly password?: string },
  url: string,
): Promise<string | undefined> {
  try {
    return await connected(options, url, async (client) => {
      await client.query('LISTEN longhaul_doctor')
      const { rows } = await client.query('SELECT * FROM pg_listening_channels()')
      return rows.length > 0 ? undefined : 'a pooler is in between, which forgets LISTEN'
    })
  } catch (error) {
    return errorMessage(error)
  }
}

async function connected<T>(
  { password }: { readonly password?: string },
  url: string,
  look: (client: Client) => Promise<T>,
): Promise<T> {
  const target = {
    url,
    applicationName: 'longhaul doctor',
    ...(password !== undefined && { password }),
  }
  await using session = createClient(target, LIMITS)
  const { client } = session
  // What happens to the connection is told by the statement; without a listener it ends the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await look(client)
  } catch (error) {
    throw openingError(storeError(error))
  }
}
