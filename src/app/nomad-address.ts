import { ConfigError, Rejected } from '../core/errors.ts'

/** Address and namespace may come from the environment, where no schema has looked at them: `ConfigError`. */
export function addressed<T>(file: string, open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (!(error instanceof Rejected)) throw error
    throw new ConfigError([{ file, message: `scheduler: ${error.message}` }])
  }
}
