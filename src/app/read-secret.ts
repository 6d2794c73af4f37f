import { ConfigError } from '../core/errors.ts'
import { readNamedFile } from './read-named-file.ts'

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
  const secret = (await readNamedFile(configFile, key, secretFile)).trim()
  if (secret !== '') return secret
  throw new ConfigError([{ file: configFile, message: `${key}: ${secretFile} is empty` }])
}
