import { join } from 'node:path'
import { exitOfCode } from '../../../src/core/exit.ts'
import type { ExitReason, ObservedExit } from '../../../src/core/exit.ts'
import type { Sight } from '../../../src/core/unit.ts'
import { logTail } from './log-file.ts'
import { livingOf } from './living.ts'
import { isAlive } from './processes.ts'
import { mark, readUnit } from './unit-folder.ts'
import type { UnitEnd, UnitFiles } from './unit-folder.ts'

/**
 * What the files of a unit, and the processes that they name, say of it (the table of unit-folder.ts).
 * That it is over without a code is written down when it is first seen: later it would be dearer to
 * find, and after a restart of the machine not the same.
 */
export async function sightOf(folder: string, files: UnitFiles, boot: string): Promise<Sight> {
  if (files.end !== undefined) return await ended(folder, files, files.end)
  const { claim } = files
  if (claim === undefined) return { phase: 'pending', message: 'its shim has not begun' }
  if (claim.by === 'shim' && claim.boot === boot && isAlive(claim.shim))
    return claim.fails === undefined
      ? { phase: 'running' }
      : { phase: 'pending', message: 'its program cannot be started' }
  // A shim writes its code and then dies: only what is read after its death is the last word.
  const last = readUnit(folder) ?? files
  if (last.end !== undefined) return await ended(folder, last, last.end)
  if (claim.by === 'nobody' && last.claim?.by === 'shim') return await sightOf(folder, last, boot)
  // What a dead shim left running. The search is the dear part, and rare.
  if ((await livingOf(folder, last, boot)).length > 0)
    return claim.by === 'shim'
      ? { phase: 'running' }
      : { phase: 'pending', message: 'its shim is about to begin' }
  // A shim that had not written down who it is may have come to its end during the search.
  const later = claim.by === 'nobody' ? (readUnit(folder) ?? last) : last
  if (later.end !== undefined || later.claim?.by !== last.claim?.by) {
    return await sightOf(folder, later, boot)
  }
  const word = wordFor(last, boot)
  await mark(folder, `exit.${word}`)
  return await ended(folder, last, { word, at: new Date() })
}

/** Why a unit that is over has no code. None of these is ever a success. */
function wordFor({ claim, stoppingAt }: UnitFiles, boot: string): string {
  if (claim?.by !== 'shim') return stoppingAt === undefined ? 'broken-off' : 'stopped'
  if (claim.fails !== undefined) return claim.fails
  if (claim.boot !== boot) return 'restarted'
  return stoppingAt === undefined ? 'shim-killed' : 'killed'
}

function exitOf({ word, at }: UnitEnd, { record, refused }: UnitFiles): ObservedExit {
  const { command, workingDir = "the unit's own work/" } = record
  const because = (reason: ExitReason, message: string): ObservedExit => ({ reason, at, message })
  switch (word) {
    case 'missing':
      return because('start-failed', `command not found: ${command}`)
    case 'not-executable':
      return because('start-failed', `command is not an executable file: ${command}`)
    case 'no-directory':
      return because('start-failed', `working_dir is no folder: ${workingDir}`)
    case 'too-large':
      return because(
        'start-failed',
        `the arguments and environment of ${command} are too large for the system (E2BIG; one string may have 128 KiB)`,
      )
    case 'stopped':
      return because('interrupted', 'stopped before its program was started')
    case 'broken-off':
      return because('interrupted', 'its start was broken off before its program was started')
    case 'restarted':
      return because('interrupted', 'the machine was started again meanwhile')
    case 'killed':
      return {
        ...because('killed', 'killed because it had not ended within its stop_grace_period'),
        signal: 'SIGKILL',
      }
    case 'shim-killed':
      return because(
        'killed',
        'its shim was killed from outside: how its program ended is not known',
      )
    default: {
      const code = Number(word)
      if (!refused || (code !== 126 && code !== 127)) return { ...exitOfCode(code), at }
      const message = `the system refused to execute ${command}: see the end of its log`
      return { ...because('start-failed', message), code }
    }
  }
}

async function ended(folder: string, files: UnitFiles, end: UnitEnd): Promise<Sight> {
  const { record, stoppingAt } = files
  const exit = exitOf(end, files)
  // A program that ended before the stop was asked for has ended by itself.
  const stopped = stoppingAt !== undefined && end.at >= stoppingAt
  const tail = await logTail(join(folder, 'log'), record.logTailBytes)
  return { phase: 'exited', exit: { ...exit, ...(tail !== '' && { logTail: tail }) }, stopped }
}
