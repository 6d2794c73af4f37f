import type { WakeTopic } from '../../../src/ports/store.ts'
import type { Columns, Row, Statement, Transaction } from './statement.ts'

/** A database, as the store uses one. */
export interface Driver extends AsyncDisposable {
  /** Runs it on one committed state of the database. It writes nothing. */
  read<T>(transaction: () => Transaction<T>): Promise<T>

  /**
   * Runs it and resolves with what it returned once that is committed. Where it throws, it alone is
   * undone. `Unavailable` where the database could not commit.
   */
  write<T>(transaction: () => Transaction<T>, effects?: WriteEffects): Promise<T>

  onWrite(topic: WakeTopic, listener: () => void): () => void
  /** Calls the listeners for something that no write has told; a little later where that is asked for. */
  wake(topic: WakeTopic, when?: 'soon'): void
}

export interface WriteEffects {
  /** Whose listeners are called after the commit. */
  readonly topics?: readonly WakeTopic[]
  /** Called after the commit, before any listener. */
  readonly committed?: () => void
}

/** The tables that are queues: each wakes who takes from it. */
export type QueueTopic = 'events' | 'messages'

/** Rows of a queue that are given to one taker at a time. */
export interface Holding {
  /** Holds and gives the first `limit` rows that nobody holds. */
  claim(limit: number, holdMs: number, query: QueueQuery): Promise<readonly Row[]>
  renew(keys: readonly string[], holdMs: number): Promise<void>
  /** To be had by others again. */
  free(keys: readonly string[]): Promise<void>
  /** The first row of the query that nobody holds. */
  firstFree(query: QueueQuery): Promise<Row | undefined>
  /** The condition of a row that this process has claimed, and that nobody has claimed since. */
  readonly mine: Statement
  /** What a row that goes back to the queue is to be set to besides. */
  readonly unheld: Columns
  /** Their rows are settled: called after the commit, and cheap. */
  settled(keys: readonly string[]): void
}

/**
 * The statement for the first `limit` rows of a queue that fulfil the condition `free`; each row is
 * known by its `key` column.
 */
export type QueueQuery = (limit: number, free: Statement) => Statement
