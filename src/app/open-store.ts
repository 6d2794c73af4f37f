import { join } from 'node:path'
import { openPostgresStore } from '../../adapters/store/postgres/open.ts'
import { openSqliteStore } from '../../adapters/store/sqlite/open.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import { readSecret } from './read-secret.ts'

/** The store that the daemon's file names, its schema brought up to date. */
export async function openStore(
  config: DaemonConfig,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<Store> {
  const { store } = config
  switch (store.kind) {
    case 'sqlite':
      return openSqliteStore({ ...parts, file: join(config.data, 'longhaul.db') })
    case 'postgres':
      return openPostgresStore({ ...parts, ...(await postgresTarget(config, store)) })
  }
}

/** Where the database is and how to get in. */
async function postgresTarget(
  { file }: DaemonConfig,
  store: Extract<DaemonConfig['store'], { kind: 'postgres' }>,
): Promise<{ readonly url: string; readonly password?: string; readonly listenUrl?: string }> {
  const { url, passwordFile, listenUrl } = store
  const password = await readSecret(file, 'store.password_file', passwordFile)
  return {
    url,
    ...(password !== undefined && { password }),
    ...(listenUrl !== undefined && { listenUrl }),
  }
}
