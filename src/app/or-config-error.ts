import { ConfigError, Rejected } from '../core/errors.ts'

/**
 * Runs what reaches for a part that the daemon's file names under `key`. A refusal whose code has a remedy
 * lies in that file: it becomes a `ConfigError` that names both.
 */
export async function orConfigError<T>(
  options: {
    readonly file: string
    readonly key: 'store' | 'bus'
    readonly remedies: Readonly<Record<string, string>>
  },
  run: () => Promise<T>,
): Promise<T> {
  const { file, key, remedies } = options
  try {
    return await run()
  } catch (error) {
    const remedy = error instanceof Rejected ? remedies[error.code] : undefined
    if (!(error instanceof Rejected) || remedy === undefined) throw error
    throw new ConfigError([{ file, message: `${key}: ${error.message}; ${remedy}` }])
  }
}
