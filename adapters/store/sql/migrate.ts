import { Rejected } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Dialect } from './dialect.ts'
import type { Driver } from './driver.ts'
import { MIGRATIONS } from './migrations.ts'
import { raw, sql, type Transaction } from './statement.ts'
import { integer, text } from './values.ts'

/** The oldest version whose program runs on the schema as it is. */
const OLDEST = 'schema.oldest'

/**
 * Brings the schema to this program's version, one transaction a version. `Rejected` (`schema-newer`)
 * where a program has been here with which this one cannot live: the rows may mean something that it
 * does not know.
 */
export async function migrate(
  driver: Driver,
  dialect: Dialect,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<void> {
  for (;;) {
    const version = await driver.write(() => migrateOnce(dialect, clock.now()))
    if (version === undefined) return
    logger.info('store.migrated', { version })
  }
}

/**
 * Does nothing where this program runs on the schema as it is; `Rejected` (`schema-newer`, or
 * `schema-older` where it has yet to be migrated) where it does not.
 */
export function* requireSchema(found: number): Transaction<void> {
  const known = MIGRATIONS.length
  if (found < known) {
    throw new Rejected(
      'schema-older',
      `the store's schema has version ${found}, and this release needs ${known}: it has to be migrated`,
    )
  }
  if (found === known) return
  const [row] = yield sql`SELECT value FROM remembered WHERE name = ${OLDEST}`
  if (row && Number(text(row, 'value')) <= known) return
  throw new Rejected(
    'schema-newer',
    `the store was written by a newer release: its schema has version ${found}, and this release knows ${known}`,
  )
}

export function* schemaVersion(): Transaction<number> {
  const [row] = yield sql`SELECT COALESCE(MAX(version), 0) AS version FROM migrations`
  return row ? integer(row, 'version') : 0
}

/** The version that it has made; undefined where there is nothing to do. */
function* migrateOnce(dialect: Dialect, now: Date): Transaction<number | undefined> {
  for (const statement of dialect.migrationLock) yield statement
  yield raw(`CREATE TABLE IF NOT EXISTS migrations (
      version ${dialect.integer} PRIMARY KEY,
      applied_at ${dialect.integer} NOT NULL
    )${dialect.tableOptions}`)
  const found = yield* schemaVersion()
  const migration = MIGRATIONS[found]
  if (!migration) {
    yield* requireSchema(found)
    return undefined
  }
  const version = found + 1
  for (const statement of migration.statements(dialect)) yield raw(statement)
  yield sql`INSERT INTO migrations (version, applied_at) VALUES (${version}, ${now.getTime()})`
  yield sql`INSERT INTO remembered (name, value) VALUES (${OLDEST}, ${String(migration.oldest)})
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`
  return version
}
