import { Rejected } from '../../../src/core/errors.ts'
import type { Dialect } from '../sql/dialect.ts'
import { raw, sql } from '../sql/statement.ts'
import { integer } from '../sql/values.ts'

export const SQLITE: Dialect = {
  // Without AUTOINCREMENT the number of a deleted last row is given again, behind readers' backs.
  sequenceKey: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  integer: 'INTEGER',
  bytes: 'BLOB',
  tableOptions: ' STRICT',
  logColumns: '',
  holdColumns: '',
  logIndexes: [],
  migrationLock: [],
  log: {
    // One writer: events are numbered in the order in which they are committed.
    ascending: raw('seq'),
    descending: raw('seq DESC'),
    readable: raw('1 = 1'),
    unreadable: raw('1 = 0'),
    origin: '0',
    cursorOf: (row) => String(integer(row, 'seq')),
    after: (cursor) => sql`seq > ${place(cursor)}`,
    upTo: (cursor) => sql`seq <= ${place(cursor)}`,
    isBefore: (cursor, other) => place(cursor) < place(other),
  },
  leaseGuard: (epoch) =>
    sql`SELECT epoch FROM leases WHERE epoch = ${epoch} AND epoch = (SELECT MAX(epoch) FROM leases)`,
}

function place(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) throw new Rejected('bad-cursor', 'this is no cursor of the log')
  return Number(cursor)
}
