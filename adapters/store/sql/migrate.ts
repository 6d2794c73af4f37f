import { Rejected } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Dialect } from './dialect.ts'
import type { Driver } from './driver.ts'
import { MIGRATIONS } from './migrations.ts'
import { raw, sql } from './statement.ts'
import { integer } from './values.ts'

/**
 * Brings the schema to this program's version. `Rejected` (`schema-newer`) where a newer program has
 * been here: the rows may mean something that this one does not know.
 */
export async function migrate(
  driver: Driver,
  dialect: Dialect,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<void> {
  const found = await driver.write(function* () {
    yield raw(`CREATE TABLE IF NOT EXISTS migrations (
      version ${dialect.integer} PRIMARY KEY,
      applied_at ${dialect.integer} NOT NULL
    )${dialect.tableOptions}`)
    const [row] = yield sql`SELECT COALESCE(MAX(version), 0) AS version FROM migrations`
    return row ? integer(row, 'version') : 0
  })
  if (found > MIGRATIONS.length) {
    throw new Rejected(
      'schema-newer',
      `the store was written by a newer release: its schema has version ${found}, and this release knows ${MIGRATIONS.length}`,
    )
  }
  for (const [index, statements] of MIGRATIONS.entries()) {
    const version = index + 1
    if (version <= found) continue
    await driver.write(function* () {
      for (const statement of statements(dialect)) yield raw(statement)
      yield sql`INSERT INTO migrations (version, applied_at) VALUES (${version}, ${clock.now().getTime()})`
    })
    logger.info('store.migrated', { version })
  }
}
