import type { PoolClient } from 'pg'
import { Rejected, Unavailable } from '../../../src/core/errors.ts'
import type { WakeTopic } from '../../../src/ports/store.ts'
import type { Driver, WriteEffects } from '../sql/driver.ts'
import type { Row, Statement, Transaction, Value } from '../sql/statement.ts'
import { IDLE_IN_TRANSACTION_MS, type Connections } from './connections.ts'
import { commitError, isWorthAnotherTry, leavesConnection, storeError } from './errors.ts'

/** Transactions that were in another's way are run so often in all. */
const MOST_TRIES = 4
/** More different statements than the store has; only lists of ids make new ones. */
const MOST_TEXTS = 500

/** Where the wake-ups go. */
export interface Notifier {
  onWrite(topic: WakeTopic, listener: () => void): () => void
  /** Calls the listeners of this process. */
  wake(topic: WakeTopic, when?: 'soon'): void
  /** The statement that tells the other processes when its transaction has been committed. */
  telling(topics: readonly WakeTopic[]): string
}

interface PostgresEffects extends WriteEffects {
  /** Of the server, for this transaction: `name = value`. */
  readonly settings?: readonly string[]
}

/**
 * Transactions over a pool of connections. Each stands by itself: what it needs to have set it sets
 * for itself alone, no statement is prepared by a name and no lock outlives it, so that it does not
 * matter which connection of the server's pgbouncer gives it.
 */
export class PostgresDriver implements Driver {
  readonly #connections: Connections
  readonly #notifier: Notifier
  readonly #begin: { readonly read: string; readonly write: string }
  readonly #running = new Set<Promise<unknown>>()
  #closed = false

  constructor(connections: Connections, notifier: Notifier) {
    this.#connections = connections
    this.#notifier = notifier
    const limits = [
      `SET LOCAL statement_timeout = ${connections.limits.statementMs}`,
      `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`,
    ]
    // The levels are said because a database may have others as its defaults. READ WRITE is not said:
    // an operator or a full disk may have made the database read-only.
    this.#begin = {
      read: ['BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', ...limits].join(';'),
      write: ['BEGIN ISOLATION LEVEL READ COMMITTED', ...limits].join(';'),
    }
  }

  read<T>(transaction: () => Transaction<T>): Promise<T> {
    return this.#track(async (client) => {
      const result = await run(client, this.#begin.read, transaction)
      await known(() => client.query('COMMIT'))
      return result
    })
  }

  async write<T>(transaction: () => Transaction<T>, effects: PostgresEffects = {}): Promise<T> {
    const { topics = [], committed, settings = [] } = effects
    const begin = [this.#begin.write, ...settings.map((is) => `SET LOCAL ${is}`)].join(';')
    const commit = topics.length > 0 ? `${this.#notifier.telling(topics)};COMMIT` : 'COMMIT'
    const result = await this.#track(async (client) => {
      const value = await run(client, begin, transaction)
      try {
        await client.query(commit)
      } catch (error) {
        throw commitError(error)
      }
      return value
    })
    committed?.()
    for (const topic of topics) this.#notifier.wake(topic)
    return result
  }

  onWrite(topic: WakeTopic, listener: () => void): () => void {
    return this.#notifier.onWrite(topic, listener)
  }

  wake(topic: WakeTopic, when?: 'soon'): void {
    this.#notifier.wake(topic, when)
  }

  /** Waits for what is running. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#running)
    await this.#connections[Symbol.asyncDispose]()
  }

  async #track<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Unavailable('store-closed', 'the store is closed')
    const running = this.#retried(work)
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  async #retried<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#withClient(work)
      } catch (error) {
        if (tries === MOST_TRIES || !isWorthAnotherTry(error)) throw error
      }
    }
  }

  async #withClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await known(() => this.#connections.pool.connect())
    let usable = true
    try {
      return await work(client)
    } catch (error) {
      usable = leavesConnection(error) && (await rolledBack(client))
      throw error
    } finally {
      client.release(!usable)
    }
  }
}

async function run<T>(
  client: PoolClient,
  begin: string,
  transaction: () => Transaction<T>,
): Promise<T> {
  await known(() => client.query(begin))
  const statements = transaction()
  let step = statements.next()
  while (!step.done) {
    let rows: readonly Row[]
    try {
      rows = await query(client, step.value)
    } catch (error) {
      // The transaction's own clean-up runs; it is not given the chance to go on.
      statements.return(undefined as never)
      throw error
    }
    step = statements.next(rows)
  }
  return step.value
}

async function query(client: PoolClient, { text, values }: Statement): Promise<readonly Row[]> {
  const { rows } = await known(() => client.query<Row>(numbered(text), values.map(parameter)))
  return rows
}

const numberedTexts = new Map<string, string>()

/** With `$1`, `$2` … for the `?`. */
function numbered(text: string): string {
  const known = numberedTexts.get(text)
  if (known !== undefined) return known
  let place = 0
  const made = text.replaceAll('?', () => `$${(place += 1)}`)
  if (numberedTexts.size >= MOST_TEXTS) numberedTexts.clear()
  numberedTexts.set(text, made)
  return made
}

/** Postgres' text holds no NUL, and what people and programs send may. */
function parameter(value: Value): Value {
  return typeof value === 'string' && value.includes('\0')
    ? value.replaceAll('\0', '\uFFFD')
    : value
}

/** What the database throws, as the store's callers know it; what the program throws stays as it is. */
async function known<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw error instanceof Rejected ? error : storeError(error)
  }
}

async function rolledBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return true
  } catch {
    // The connection is of no use any more: it is thrown away, and the server rolls back.
    return false
  }
}
