import { migratePostgres, postgresSchema } from '../../adapters/store/postgres/open.ts'
import type { Migrated, SchemaState } from '../../adapters/store/sql/migrate.ts'
import { migrateSqlite } from '../../adapters/store/sqlite/open.ts'
import { sqliteSchema } from '../../adapters/store/sqlite/schema.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import type { Logger } from '../ports/logger.ts'
import { makeDataFolder } from './data-folder.ts'
import { createLogger } from './logger.ts'
import { orStoreConfigError, postgresTarget, sqliteFile } from './store-target.ts'
import { systemClock } from './system-clock.ts'

/**
 * Brings the schema of the store that the file names to this release's version, whatever
 * `store.migrate` says. Others who do so at the same time are waited for. Throws `ConfigError` for a
 * store that refuses, `Unavailable` for one that does not answer or that a daemon holds.
 */
export function migrateStore(config: DaemonConfig, env: NodeJS.ProcessEnv): Promise<Migrated> {
  const { store, file, data } = config
  const parts = { clock: systemClock, logger: quietLogger(env) }
  return orStoreConfigError(file, async () => {
    switch (store.kind) {
      case 'sqlite':
        await makeDataFolder(data, file)
        return migrateSqlite({ ...parts, file: sqliteFile(config) })
      case 'postgres':
        return migratePostgres({ ...parts, ...(await postgresTarget(file, store)) })
    }
  })
}

/**
 * How the schema of the store that the file names fits this release; undefined where there is no store
 * yet. Writes nothing, and is in no daemon's way. Throws as `migrateStore` does.
 */
export function storeSchema(
  config: DaemonConfig,
  env: NodeJS.ProcessEnv,
): Promise<SchemaState | undefined> {
  const { store, file } = config
  const logger = quietLogger(env)
  return orStoreConfigError(file, async () => {
    switch (store.kind) {
      case 'sqlite':
        return sqliteSchema(sqliteFile(config), logger)
      case 'postgres': {
        const target = await postgresTarget(file, store)
        return postgresSchema({ clock: systemClock, logger, ...target })
      }
    }
  })
}

/** A command says itself what it has done. */
function quietLogger(env: NodeJS.ProcessEnv): Logger {
  return createLogger({ LONGHAUL_LOG: 'warn', ...env }, process.stderr.isTTY)
}
