import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { errorMessage, Unavailable } from '../../../src/core/errors.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { WakeTopic } from '../../../src/ports/store.ts'
import type { Driver, WriteEffects } from '../sql/driver.ts'
import { Listeners } from '../sql/listeners.ts'
import type { Row, Statement, Transaction } from '../sql/statement.ts'
import { storeError } from './errors.ts'

/** More different statements than the store has; only lists of ids make new ones. */
const MOST_STATEMENTS = 500

/** A write that waits for the next commit. */
interface PendingWrite {
  /** Runs it inside the open transaction; gives what tells its caller once that is committed. */
  run(): () => void
  reject(error: unknown): void
  readonly effects: WriteEffects
}

/**
 * The one connection. A transaction runs in one synchronous go, so nothing comes between its
 * statements. All writes asked for in one turn of the event loop share one commit, which is what
 * costs; each is a savepoint of its own, so that one that throws is undone alone.
 */
export class SqliteDriver implements Driver {
  readonly #database: DatabaseSync
  readonly #logger: Logger
  readonly #statements = new Map<string, StatementSync>()
  readonly #listeners: Listeners<WakeTopic>
  #pending: PendingWrite[] = []
  #closed = false

  constructor(database: DatabaseSync, logger: Logger) {
    this.#database = database
    this.#logger = logger
    this.#listeners = new Listeners(logger)
  }

  // Async so that what a transaction throws is a rejection.
  // eslint-disable-next-line @typescript-eslint/require-await
  async read<T>(transaction: () => Transaction<T>): Promise<T> {
    if (this.#closed) throw closed()
    try {
      return this.#run(transaction)
    } catch (error) {
      throw storeError(error)
    }
  }

  write<T>(transaction: () => Transaction<T>, effects: WriteEffects = {}): Promise<T> {
    if (this.#closed) return Promise.reject(closed())
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0)
        setImmediate(() => {
          this.#commit()
        })
      this.#pending.push({
        run: () => {
          const result = this.#run(transaction)
          return () => {
            resolve(result)
          }
        },
        reject,
        effects,
      })
    })
  }

  onWrite(topic: WakeTopic, listener: () => void): () => void {
    return this.#listeners.add(topic, listener)
  }

  wake(topic: WakeTopic, when?: 'soon'): void {
    this.#listeners.call(topic, when)
  }

  /** Writes asked for before are committed first. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#commit()
    this.#statements.clear()
    this.#database.close()
    await Promise.resolve()
  }

  #commit(): void {
    const batch = this.#pending
    this.#pending = []
    if (batch.length === 0) return
    const done: { readonly write: PendingWrite; readonly tell: () => void }[] = []
    const refused: { readonly write: PendingWrite; readonly error: unknown }[] = []
    try {
      this.#execute('BEGIN IMMEDIATE')
      for (const write of batch) {
        this.#execute('SAVEPOINT one')
        try {
          done.push({ write, tell: write.run() })
        } catch (error) {
          if (!this.#database.isTransaction || isPassing(error)) throw error
          refused.push({ write, error })
          this.#execute('ROLLBACK TO one')
        }
        this.#execute('RELEASE one')
      }
      this.#execute('COMMIT')
    } catch (error) {
      this.#abandon(batch, error)
      return
    }
    for (const { write } of done) write.effects.committed?.()
    for (const { tell } of done) tell()
    for (const { write, error } of refused) write.reject(storeError(error))
    for (const topic of new Set(done.flatMap(({ write }) => write.effects.topics ?? []))) {
      this.wake(topic)
    }
  }

  /** Nothing of the batch is written: a full disk or a failing one has ended the transaction. */
  #abandon(batch: readonly PendingWrite[], error: unknown): void {
    this.#logger.error('store.commit-failed', { writes: batch.length, error: errorMessage(error) })
    try {
      if (this.#database.isTransaction) this.#execute('ROLLBACK')
    } catch (rollbackError) {
      this.#logger.error('store.rollback-failed', { error: errorMessage(rollbackError) })
    }
    const known = storeError(error)
    for (const write of batch) write.reject(known)
  }

  #run<T>(transaction: () => Transaction<T>): T {
    const statements = transaction()
    let step = statements.next()
    while (!step.done) {
      let rows: readonly Row[]
      try {
        rows = this.#query(step.value)
      } catch (error) {
        // The transaction's own clean-up runs; it is not given the chance to go on.
        statements.return(undefined as never)
        throw error
      }
      step = statements.next(rows)
    }
    return step.value
  }

  #query({ text, values }: Statement): readonly Row[] {
    return this.#prepared(text).all(...values) as Row[]
  }

  #execute(text: string): void {
    this.#prepared(text).run()
  }

  #prepared(text: string): StatementSync {
    const known = this.#statements.get(text)
    if (known) return known
    if (this.#statements.size >= MOST_STATEMENTS) this.#statements.clear()
    const statement = this.#database.prepare(text)
    this.#statements.set(text, statement)
    return statement
  }
}

function isPassing(error: unknown): boolean {
  return storeError(error) instanceof Unavailable && !(error instanceof Unavailable)
}

function closed(): Unavailable {
  return new Unavailable('store-closed', 'the store is closed')
}
