import { Rejected } from '../../../src/core/errors.ts'
import type { Dialect } from '../sql/dialect.ts'
import { raw, sql, type Row, type Statement } from '../sql/statement.ts'
import { integer } from '../sql/values.ts'

/** The database's clock in milliseconds: of this very moment, not of the transaction's begin. */
export const DATABASE_NOW = raw('(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT')

/** An arbitrary number that is ours: the key of the lock under which schemas are changed. */
const MIGRATION_LOCK = 7_306_092_614_885_271

/**
 * Sequence numbers are given out before the commit, so one may become visible after a higher one has
 * been read. Readers of the log go by (transaction, sequence), and only up to the oldest transaction
 * that is still running: none that comes before can still commit. Any transaction of the server that
 * writes for long holds up the readers of the log so long (the outbox not: it is claimed by row).
 */
const OLDEST_RUNNING = raw('pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT')

/** Postgres 13 and later. */
export const POSTGRES: Dialect = {
  sequenceKey: 'BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
  integer: 'BIGINT',
  bytes: 'BYTEA',
  tableOptions: '',
  logColumns: ', txid BIGINT NOT NULL DEFAULT pg_current_xact_id()::TEXT::BIGINT',
  holdColumns: ', held_until BIGINT, held_by TEXT',
  logIndexes: ['CREATE INDEX events_in_order ON events (txid, seq)'],
  migrationLock: [
    // Whoever waits for another's migration waits as long as that takes.
    raw('SET LOCAL statement_timeout = 0'),
    raw(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})::TEXT`),
  ],
  log: {
    ascending: raw('txid, seq'),
    descending: raw('txid DESC, seq DESC'),
    readable: sql`txid < ${OLDEST_RUNNING}`,
    unreadable: sql`txid >= ${OLDEST_RUNNING}`,
    origin: '0-0',
    cursorOf: (row) => cursorOf(row),
    after: (cursor) => sql`(txid, seq) > (${pair(cursor)})`,
    upTo: (cursor) => sql`(txid, seq) <= (${pair(cursor)})`,
    isBefore: (cursor, other) => {
      const [a, b] = [place(cursor), place(other)]
      return a.txid < b.txid || (a.txid === b.txid && a.seq < b.seq)
    },
  },
  // A renewal changes no key and passes this lock; a takeover changes it and waits. So who gets this
  // row has it to the end of its transaction, and who comes after a takeover gets none.
  leaseGuard: (epoch) => sql`SELECT epoch FROM leases WHERE epoch = ${epoch} FOR KEY SHARE`,
}

interface Place {
  readonly txid: number
  readonly seq: number
}

function place(cursor: string): Place {
  const [, txid, seq] = /^(\d{1,15})-(\d{1,15})$/.exec(cursor) ?? []
  if (txid === undefined || seq === undefined) {
    throw new Rejected('bad-cursor', 'this is no cursor of the log')
  }
  return { txid: Number(txid), seq: Number(seq) }
}

function pair(cursor: string): Statement {
  const { txid, seq } = place(cursor)
  return sql`${txid}, ${seq}`
}

function cursorOf(row: Row): string {
  return `${integer(row, 'txid')}-${integer(row, 'seq')}`
}
