import { existsSync } from 'node:fs'
import { storeSchema } from '../app/store-schema.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import { Rejected, Unavailable } from '../core/errors.ts'

/** How the store's schema fits this release, as `longhaul check` tells it. */
export interface SchemaReport {
  readonly kind: DaemonConfig['store']['kind']
  readonly schema: 'none' | 'current' | 'older' | 'usable' | 'newer' | 'unknown'
  readonly found?: number
  readonly known?: number
  /** In words; absent where there is nothing to tell. */
  readonly message?: string
}

/**
 * Looks at the store. One that does not answer, or whose password is not here, is `unknown`: files are
 * often checked elsewhere than where the daemon runs. `ConfigError` where it refuses what the file says.
 */
export async function reportSchema(
  config: DaemonConfig,
  env: NodeJS.ProcessEnv,
): Promise<SchemaReport> {
  const { kind, migrate } = config.store
  const unknown = (why: string): SchemaReport => {
    return { kind, schema: 'unknown', message: `the store’s schema could not be looked at: ${why}` }
  }
  const secret = config.store.kind === 'postgres' ? config.store.passwordFile : undefined
  if (secret !== undefined && !existsSync(secret)) return unknown(`${secret} is not here`)
  try {
    const state = await storeSchema(config, env)
    if (state === undefined) return { kind, schema: 'none' }
    const { found, known, fit } = state
    const has = `the store’s schema has version ${found}`
    const older = migrate
      ? 'the daemon brings it up to date when it starts, or `longhaul migrate` does before'
      : 'no daemon starts on it before `longhaul migrate` (the file says `migrate: false`)'
    const messages = {
      current: undefined,
      older: `${found === 0 ? 'the store has no schema yet' : `${has}, and this release has ${known}`}: ${older}`,
      usable: `${has}, made by a newer release than this one, which has ${known} and runs on it`,
      newer: `${has}, made by a newer release, and this one, which has ${known}, cannot run on it: run that release, or name another store`,
    }
    const message = messages[fit]
    return { kind, schema: fit, found, known, ...(message !== undefined && { message }) }
  } catch (error) {
    if (error instanceof Unavailable || error instanceof Rejected) return unknown(error.message)
    throw error
  }
}
