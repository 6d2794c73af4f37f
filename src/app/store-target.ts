import { join } from 'node:path'
import type { DaemonConfig } from '../config/daemon-config.ts'
import { orConfigError } from './or-config-error.ts'
import { readSecret } from './read-secret.ts'

export function sqliteFile({ data }: DaemonConfig): string {
  return join(data, 'longhaul.db')
}

/** Where the database is and how to get in. */
export async function postgresTarget(
  file: string,
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

/** What is to be done about a store that cannot be opened as the daemon's file has it. */
const REMEDIES: Readonly<Record<string, string>> = {
  'schema-older': 'run `longhaul migrate`, or let the daemon do it (`store.migrate: true`)',
  'schema-newer': 'run that release, or name another store',
  'store-login': 'see `store.url` and `store.password_file`',
  'store-url': 'see `store.url`',
  'store-refused':
    'give the user of `store.url` the rights, or have one with them run `longhaul migrate`',
}

/** Runs it; a refusal that lies in the configuration is a `ConfigError` that names the remedy. */
export async function orStoreConfigError<T>(file: string, run: () => Promise<T>): Promise<T> {
  return await orConfigError({ file, key: 'store', remedies: REMEDIES }, run)
}
