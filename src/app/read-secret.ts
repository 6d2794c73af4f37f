import { readFile } from 'node:fs/promises'
import { ConfigError, errorMessage } from '../core/errors.ts'

/**
 * The secret that a file holds, without the white space around it; undefined where no file is named.
 * `ConfigError` names the key, never what was read.
 */
export async function readSecret(
  configFile: string,
  key: string,
  secretFile: string | undefined,
): Promise<string | undefined> {
  if (secretFile === undefined) return undefined
  let secret: string
  try {
    secret = (await readFile(secretFile, 'utf8')).trim()
  } catch (error) {
    throw new ConfigError([{ file: configFile, message: `${key}: ${errorMessage(error)}` }])
  }
  if (secret !== '') return secret
  throw new ConfigError([{ file: configFile, message: `${key}: ${secretFile} is empty` }])
}
