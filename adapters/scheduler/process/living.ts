import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Unavailable } from '../../../src/core/errors.ts'
import { isAlive, orphansOf, processesIn, signalProcess } from './processes.ts'
import { SHIM_MARK } from './shim.ts'
import type { UnitFiles } from './unit-folder.ts'

/**
 * What runs of a unit, as numbers to be signalled: its whole group (negative) while its shim lives,
 * which is what the group is known by; else each process that is left. A process that has made a
 * session of its own has left the unit, as it would leave a shell's job: it is not found here.
 */
export async function livingOf(
  folder: string,
  files: UnitFiles,
  boot: string,
): Promise<readonly number[]> {
  const { claim, record } = files
  switch (claim?.by) {
    case undefined:
    case 'nobody':
      return await processesIn(folder, SHIM_MARK)
    case 'adapter':
      return []
    case 'shim': {
      if (claim.boot !== boot) return []
      if (isAlive(claim.shim)) return [-claim.shim.pid]
      return await orphansOf(claim.shim, {
        log: join(folder, 'log'),
        environment: [
          `LONGHAUL_TASK_ID=${record.identity.taskId}`,
          `LONGHAUL_ATTEMPT=${record.identity.attempt}`,
        ],
      })
    }
  }
}

const KILL_LIMIT_MS = 5000

/** Kills whatever runs of the unit and resolves when nothing does. */
export async function killUnit(
  folder: string,
  files: UnitFiles,
  boot: string,
  signal?: AbortSignal,
): Promise<void> {
  const until = performance.now() + KILL_LIMIT_MS
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    const living = await livingOf(folder, files, boot)
    if (living.length === 0) return
    for (const pid of living) signalProcess(pid, 9)
    if (signal?.aborted === true || performance.now() > until)
      throw new Unavailable('still-running', `what runs in ${folder} does not die`)
    await sleep(pauseMs)
  }
}
