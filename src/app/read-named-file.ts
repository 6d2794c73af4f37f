import { readFile } from 'node:fs/promises'
import { ConfigError, errorMessage } from '../core/errors.ts'

/** What a file holds that the daemon's own file names under `key`. `ConfigError` where it cannot be read. */
export async function readNamedFile(
  configFile: string,
  key: string,
  path: string,
): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigError([{ file: configFile, message: `${key}: ${errorMessage(error)}` }])
  }
}
