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

/** How the schema of a store and this program fit together. Versions count from 1. */
export interface SchemaState {
  /** 0 where there is none yet. */
  readonly found: number
  /** This program's own. */
  readonly known: number
  /**
   * `older`: it has to be migrated. `newer`: a program has been here with which this one cannot live, for
   * the rows may mean something that it does not know. `usable`: newer, and this program runs on it.
   */
  readonly fit: 'current' | 'older' | 'usable' | 'newer'
}

/** The versions before and after. */
export interface Migrated {
  readonly from: number
  readonly to: number
}

/**
 * Brings the schema to this program's version, one transaction a version. `Rejected` (`schema-newer`)
 * where it is one with which this program cannot live.
 */
export async function migrate(
  driver: Driver,
  dialect: Dialect,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Migrated> {
  let from: number | undefined
  for (;;) {
    const { found, made } = await driver.write(() => migrateOnce(dialect, clock.now()))
    from ??= found
    if (made === undefined) return { from, to: found }
    logger.info('store.migrated', { version: made })
  }
}

export function* schemaState(found: number): Transaction<SchemaState> {
  const known = MIGRATIONS.length
  if (found <= known) return { found, known, fit: found < known ? 'older' : 'current' }
  const [row] = yield sql`SELECT value FROM remembered WHERE name = ${OLDEST}`
  const usable = row !== undefined && Number(text(row, 'value')) <= known
  return { found, known, fit: usable ? 'usable' : 'newer' }
}

/**
 * Does nothing where this program runs on the schema as it is; `Rejected` (`schema-newer`, or
 * `schema-older` where it has yet to be migrated) where it does not.
 */
export function* requireSchema(found: number): Transaction<void> {
  const { known, fit } = yield* schemaState(found)
  switch (fit) {
    case 'current':
    case 'usable':
      return
    case 'older':
      throw new Rejected(
        'schema-older',
        `the store's schema has version ${found}, and this release needs ${known}: it has to be migrated`,
      )
    case 'newer':
      throw new Rejected(
        'schema-newer',
        `the store was written by a newer release: its schema has version ${found}, and this release knows ${known}`,
      )
  }
}

export function* schemaVersion(): Transaction<number> {
  const [row] = yield sql`SELECT COALESCE(MAX(version), 0) AS version FROM migrations`
  return row ? integer(row, 'version') : 0
}

/** The version that was found and, unless there is nothing to do, the one that it has made. */
function* migrateOnce(
  dialect: Dialect,
  now: Date,
): Transaction<{ readonly found: number; readonly made?: number }> {
  for (const statement of dialect.migrationLock) yield statement
  yield raw(`CREATE TABLE IF NOT EXISTS migrations (
      version ${dialect.integer} PRIMARY KEY,
      applied_at ${dialect.integer} NOT NULL
    )${dialect.tableOptions}`)
  const found = yield* schemaVersion()
  const migration = MIGRATIONS[found]
  if (!migration) {
    yield* requireSchema(found)
    return { found }
  }
  const version = found + 1
  for (const statement of migration.statements(dialect)) yield raw(statement)
  yield sql`INSERT INTO migrations (version, applied_at) VALUES (${version}, ${now.getTime()})`
  yield sql`INSERT INTO remembered (name, value) VALUES (${OLDEST}, ${String(migration.oldest)})
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`
  return { found, made: version }
}
