import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { shell } from '../support/daemon.ts'
import { TASK_IMAGE } from '../support/task-image.ts'
import type { ProgramTimes } from './timed-program.ts'

/**
 * A container that leaves one file when it is there and one when it is about to end: busybox tells no
 * fraction of a second, but the kernel writes down when a file was made, by its tick (4 ms at most).
 */
const SCRIPT = `
: >"/times/$\{LONGHAUL_TASK_ID##*/}.started"
sleep "$WORK"
: >"/times/$\{LONGHAUL_TASK_ID##*/}.ending"
`

export function timedContainerType(times: string, workSeconds: number, command: string): object {
  return {
    image: TASK_IMAGE,
    command: shell(SCRIPT),
    environment: { WORK: String(workSeconds) },
    volumes: [`${times}:/times`],
    'x-task': { command, id: '/id' },
  }
}

/** By the last part of the task's id, in milliseconds of the wall clock. */
export async function containerTimesIn(folder: string): Promise<ProgramTimes> {
  const started = new Map<string, number>()
  const ending = new Map<string, number>()
  for (const name of await readdir(folder)) {
    const [id, what] = name.split('.')
    if (id === undefined) continue
    const { mtimeMs } = await stat(join(folder, name))
    if (what === 'started') started.set(id, mtimeMs)
    else ending.set(id, mtimeMs)
  }
  return { started, ending }
}
