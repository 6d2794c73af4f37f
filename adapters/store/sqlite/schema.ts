import { access } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { errorMessage, Unavailable } from '../../../src/core/errors.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { schemaState, type SchemaState, schemaVersion } from '../sql/migrate.ts'
import { raw, type Transaction } from '../sql/statement.ts'
import { SqliteDriver } from './driver.ts'
import { storeError } from './errors.ts'

/**
 * What can be told of the schema from outside, whoever has the store open: nothing is locked, written or
 * waited for. Undefined where there is no such file. `Rejected` (`store-damaged`) for one that is no
 * database, `Unavailable` for one that cannot be read.
 */
export async function sqliteSchema(file: string, logger: Logger): Promise<SchemaState | undefined> {
  if (!(await isThere(file))) return undefined
  await using driver = new SqliteDriver(openAsItIs(file), logger)
  const found = await driver.read(sqliteVersion)
  return await driver.read(() => schemaState(found))
}

export function* sqliteVersion(): Transaction<number> {
  const [table] = yield raw(`SELECT name FROM sqlite_schema WHERE name = 'migrations'`)
  return table ? yield* schemaVersion() : 0
}

/**
 * `immutable`: SQLite takes no lock (which a daemon that starts just now would stumble over) and leaves
 * the log beside the file alone. What a daemon writes meanwhile is nothing that is read here.
 */
function openAsItIs(file: string): DatabaseSync {
  const url = pathToFileURL(file)
  url.searchParams.set('immutable', '1')
  try {
    return new DatabaseSync(url, { readOnly: true })
  } catch (error) {
    throw storeError(error)
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw new Unavailable(
      'store-unavailable',
      `the store cannot be read: ${errorMessage(error)}`,
      error,
    )
  }
}
