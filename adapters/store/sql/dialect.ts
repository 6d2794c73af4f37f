import type { Statement, Row } from './statement.ts'

/** All that differs between the databases in what is said to them. */
export interface Dialect {
  /** The type of a key that the database counts up and never gives twice. */
  readonly sequenceKey: string
  /** 64 bits. */
  readonly integer: string
  readonly bytes: string
  /** What stands behind the bracket of a CREATE TABLE. */
  readonly tableOptions: string
  /** Columns, each with a comma before it, of every event and of whatever is held by its taker. */
  readonly logColumns: string
  readonly holdColumns: string
  readonly logIndexes: readonly string[]
  /** Lets one process at a time change the schema, until its transaction ends. */
  readonly migrationLock: readonly Statement[]
  readonly log: LogOrder
  /** Gives a row only if this epoch is the newest, and keeps it so until the transaction ends. */
  leaseGuard(epoch: number): Statement
}

/** The order of the event log: one in which nothing that commits later comes before a cursor. */
export interface LogOrder {
  /** The ORDER BY of `events`, ascending and descending. */
  readonly ascending: Statement
  readonly descending: Statement
  /** The conditions of the events that may be read yet, and of those that may not. */
  readonly readable: Statement
  readonly unreadable: Statement
  readonly origin: string
  cursorOf(row: Row): string
  /** Conditions on `events`; `Rejected` for what is no cursor. */
  after(cursor: string): Statement
  upTo(cursor: string): Statement
  /** Whether the first lies before the second. */
  isBefore(cursor: string, other: string): boolean
}
