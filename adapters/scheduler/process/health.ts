import { access, constants, statfs, unlink, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { errorMessage } from '../../../src/core/errors.ts'
import type { CheckResult } from '../../../src/ports/scheduler-adapter.ts'

const LOW_BYTES = 100 * 1024 * 1024

export async function checkHealth(units: string, shell: string): Promise<readonly CheckResult[]> {
  return await Promise.all([
    result('folder', 'make it writable for the user that the daemon runs as', async () => {
      const probe = join(units, `.probe.${randomBytes(6).toString('hex')}`)
      await writeFile(probe, '', { flag: 'wx', mode: 0o600 })
      await unlink(probe)
      return `${units} is writable`
    }),
    result('shell', 'install a POSIX shell there', async () => {
      await access(shell, constants.X_OK)
      return `${shell} is there`
    }),
    result('space', 'free some: below that, units may not start', async () => {
      const { bavail, bsize } = await statfs(units)
      const free = `${Math.floor((bavail * bsize) / 1024 / 1024)} MB are free for ${units}`
      if (bavail * bsize < LOW_BYTES) throw new Error(`only ${free}`)
      return free
    }),
  ])
}

async function result(
  name: string,
  remedy: string,
  probe: () => Promise<string>,
): Promise<CheckResult> {
  try {
    return { name, ok: true, message: await probe() }
  } catch (error) {
    return { name, ok: false, message: errorMessage(error), remedy }
  }
}
