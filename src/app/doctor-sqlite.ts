import { constants } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import type { DaemonConfig } from '../config/daemon-config.ts'
import { errorMessage } from '../core/errors.ts'
import type { Finding } from './doctor-finding.ts'
import { sqliteFile } from './store-target.ts'

const PART = 'store'
const LOW_BYTES = 100 * 1024 * 1024

/** The folder and what is free there. The file itself is not opened: a daemon may be at work on it. */
export async function sqliteFindings(config: DaemonConfig): Promise<readonly Finding[]> {
  const version = `SQLite ${process.versions['sqlite'] ?? ''}`
  const file = sqliteFile(config)
  try {
    await access(config.data, constants.W_OK | constants.X_OK)
  } catch (error) {
    if (isMissing(error)) {
      const message = `${version}; ${config.data} is made by the first start`
      return [{ part: PART, name: 'sqlite', ok: true, message }]
    }
    return [unusable(error)]
  }
  try {
    await access(file, constants.R_OK | constants.W_OK)
  } catch (error) {
    if (!isMissing(error)) return [unusable(error)]
  }
  const { bavail, bsize } = await statfs(config.data)
  const low = bavail * bsize < LOW_BYTES
  const remedy = `free some where ${config.data} is: on a full disk nothing is accepted`
  return [
    { part: PART, name: 'sqlite', ok: true, message: `${version}, ${file}` },
    {
      part: PART,
      name: 'space',
      ok: !low,
      message: `${Math.floor((bavail * bsize) / 1024 / 1024)} MB are free`,
      ...(low && { remedy }),
    },
  ]
}

function unusable(error: unknown): Finding {
  const remedy = 'give it to the user that the daemon runs as, or change `data`'
  return { part: PART, name: 'sqlite', ok: false, message: errorMessage(error), remedy }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
