import { mkdir } from 'node:fs/promises'
import { ConfigError, errorMessage } from '../core/errors.ts'

/** The folder that `data` names, for its owner alone. `file` is the one that names it. */
export async function makeDataFolder(data: string, file: string): Promise<void> {
  try {
    await mkdir(data, { recursive: true, mode: 0o700 })
  } catch (error) {
    const message = `data: the folder ${data} cannot be made: ${errorMessage(error)}`
    throw new ConfigError([{ file, message }])
  }
}
