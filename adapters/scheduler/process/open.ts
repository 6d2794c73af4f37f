import {
  link,
  mkdir,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Unavailable, errorMessage } from '../../../src/core/errors.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { bootId, hasCode, ownUmask } from './processes.ts'
import { ProcessScheduler } from './scheduler.ts'

export interface ProcessSchedulerOptions {
  /** Units live in `<directory>/units`; made where it is not there. Daemons may share it. */
  readonly directory: string
  readonly installation: string
  readonly logger: Logger
  /** A POSIX shell, `/bin/sh` by default. */
  readonly shell?: string
}

/**
 * Opens the folder of units, and goes on with the stops that another daemon has left unfinished.
 * `Unavailable` where the folder cannot be used. Every unit that runs goes on when this is disposed.
 */
export async function openProcessScheduler(
  options: ProcessSchedulerOptions,
): Promise<ProcessScheduler> {
  const { directory, installation, logger, shell = '/bin/sh' } = options
  try {
    for (const folder of ['units/.hints', 'units/.trash'])
      await mkdir(join(directory, folder), { recursive: true, mode: 0o700 })
    const units = await realpath(join(directory, 'units'))
    const folderId = await idOf(units)
    const [boot, umask] = await Promise.all([bootId(), ownUmask()])
    await tidy(units, logger)
    const at = { units, folderId, installation, logger, shell, boot, umask }
    const scheduler = new ProcessScheduler(at)
    await scheduler.list(AbortSignal.timeout(30_000))
    return scheduler
  } catch (error) {
    if (error instanceof Unavailable) throw error
    throw new Unavailable('process-folder', `the folder of units: ${errorMessage(error)}`, error)
  }
}

/** Drawn by whoever comes first; linked, so that nobody ever reads half of it or replaces it. */
async function idOf(units: string): Promise<string> {
  const path = join(units, '.id')
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, randomUUID(), { flag: 'wx', mode: 0o600, flush: true })
  try {
    await link(draft, path)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  } finally {
    await rm(draft)
  }
  return await readFile(path, 'utf8')
}

const ABANDONED_MS = 3_600_000

/** Deletes what crashes have left: removed units, hints of such, and folders that never became a unit. */
async function tidy(units: string, logger: Logger): Promise<void> {
  try {
    const names = (await readdir(units)).filter((name) => !name.startsWith('.'))
    for (const name of names) {
      const folder = join(units, name)
      const { mtimeMs } = await stat(folder)
      if (Date.now() - mtimeMs < ABANDONED_MS) continue
      if (!(await readdir(folder)).includes('spec'))
        await rename(folder, join(units, '.trash', `${name}.${randomBytes(6).toString('hex')}`))
    }
    for (const hint of await readdir(join(units, '.hints')))
      if (!names.includes(hint)) await rm(join(units, '.hints', hint), { force: true })
    for (const name of await readdir(join(units, '.trash')))
      await rm(join(units, '.trash', name), { recursive: true, force: true })
  } catch (error) {
    logger.warn('units.untidied', { folder: units, error: errorMessage(error) })
  }
}
