import { openPostgresStore } from '../../adapters/store/postgres/open.ts'
import { openSqliteStore } from '../../adapters/store/sqlite/open.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import { orStoreConfigError, postgresTarget, sqliteFile } from './store-target.ts'

/**
 * The store that the daemon's file names, its schema brought up to date unless the file says not to.
 * `ConfigError` where the file has to be changed, or the schema, before a daemon can start.
 */
export function openStore(
  config: DaemonConfig,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<Store> {
  const { store, file } = config
  const { migrate } = store
  return orStoreConfigError(file, async () => {
    switch (store.kind) {
      case 'sqlite':
        return openSqliteStore({ ...parts, migrate, file: sqliteFile(config) })
      case 'postgres':
        return openPostgresStore({ ...parts, migrate, ...(await postgresTarget(file, store)) })
    }
  })
}
