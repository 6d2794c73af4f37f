import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorMessage } from '../../../src/core/errors.ts'
import type { CheckResult } from '../../../src/ports/scheduler-adapter.ts'
import type { SchedulerExamination } from '../../../src/ports/scheduler-examination.ts'
import { checkHealth } from './health.ts'

/** Looks at where units run, without opening it: a daemon may be at work there. */
export function examineProcesses(options: {
  readonly directory: string
  /** A POSIX shell, `/bin/sh` by default. */
  readonly shell?: string
}): SchedulerExamination {
  const { directory, shell = '/bin/sh' } = options
  const units = join(directory, 'units')
  return {
    async check() {
      try {
        return (await isThere(units)) ? await checkHealth(units, shell) : [await canBeMade(units)]
      } catch (error) {
        const remedy = 'make it writable for the user that the daemon runs as, or change `data`'
        return [{ name: 'folder', ok: false, message: errorMessage(error), remedy }]
      }
    },
  }
}

/** The first start makes it; throws where it could not. */
async function canBeMade(folder: string): Promise<CheckResult> {
  let parent = dirname(folder)
  while (!(await isThere(parent))) parent = dirname(parent)
  await access(parent, constants.W_OK | constants.X_OK)
  return { name: 'folder', ok: true, message: `${folder} is made by the first start` }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
