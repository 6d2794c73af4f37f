import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Store } from '../../../src/ports/store.ts'
import { migrate, type Migrated, requireSchema } from '../sql/migrate.ts'
import { raw } from '../sql/statement.ts'
import { createSqlStore } from '../sql/store.ts'
import { SQLITE } from './dialect.ts'
import { SqliteDriver } from './driver.ts'
import { isHeldByAnother, storeError } from './errors.ts'
import { fileLeadership, nextEpoch } from './leadership.ts'
import { memoryHolding } from './memory-holding.ts'
import { sqliteVersion } from './schema.ts'

export interface SqliteOptions {
  /** In a folder that exists. `:memory:` for a store that ends with the process. */
  readonly file: string
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Opens the store, made or brought up to date where needed, for this process alone until it is
 * disposed of or the process ends, however it ends.
 *
 * Throws `Unavailable` with the code `data-held` where another process has it, `Rejected` with
 * `schema-newer` where a newer release has written it, and with `schema-older` where it has to be brought
 * up to date and `migrate` is false.
 */
export async function openSqliteStore(
  options: SqliteOptions & { readonly migrate?: boolean },
): Promise<Store> {
  const { file, clock, logger } = options
  const driver = new SqliteDriver(openAlone(file), logger)
  try {
    if (options.migrate === false) await requireUpToDate(driver)
    else await bringUpToDate(driver, options)
    const owner = randomUUID()
    await nextEpoch(driver, owner)
    return await createSqlStore({
      driver,
      dialect: SQLITE,
      holding: (topic) => memoryHolding(driver, clock, topic),
      leadership: fileLeadership(driver, owner),
      clock,
      logger,
    })
  } catch (error) {
    await driver[Symbol.asyncDispose]()
    throw error
  }
}

/** Makes the schema, or brings it to this release's version. Throws as opening the store does. */
export async function migrateSqlite(options: SqliteOptions): Promise<Migrated> {
  await using driver = new SqliteDriver(openAlone(options.file), options.logger)
  return await bringUpToDate(driver, options)
}

async function bringUpToDate(driver: SqliteDriver, options: SqliteOptions): Promise<Migrated> {
  const migrated = await migrate(driver, SQLITE, options)
  // What is only in the log beside the file is not seen by those who look from outside (`sqliteSchema`).
  await driver.read(function* () {
    yield raw('PRAGMA wal_checkpoint(TRUNCATE)')
  })
  return migrated
}

async function requireUpToDate(driver: SqliteDriver): Promise<void> {
  const found = await driver.read(sqliteVersion)
  await driver.read(() => requireSchema(found))
}

/**
 * EXCLUSIVE must come before WAL (then the wal-index is on the heap, and no second process can share
 * it), and a write before anything else: in another order two processes get in.
 */
function openAlone(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { timeout: 0 })
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    // What a savepoint may have to undo would else be written to a file in /var/tmp, page by page.
    database.exec('PRAGMA temp_store = MEMORY')
    database.exec('BEGIN IMMEDIATE')
    database.exec('PRAGMA user_version = 1')
    database.exec('COMMIT')
    return database
  } catch (error) {
    database?.close()
    if (!isHeldByAnother(error)) throw storeError(error)
    throw new Unavailable(
      'data-held',
      `another daemon holds the data folder: it has ${file} open, and with SQLite there is one daemon at a time`,
      error,
    )
  }
}
