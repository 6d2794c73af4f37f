import { lstatSync, readFileSync, readdirSync } from 'node:fs'
import { link, mkdir, rename, unlink, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { UnitIdentity, UnitSpec } from '../../../src/core/unit.ts'
import { hasCode, parseStat } from './processes.ts'
import type { ProcessPlan } from './plan.ts'
import type { ProcessStat } from './processes.ts'

/**
 * A unit is the folder `units/<name>`. Each of its files appears whole or not at all, and once: so
 * whatever is killed between two steps, the files say how far it came, and each step can be repeated.
 *
 *   spec       who the unit is and how it is to be stopped: linked into place, the first writer wins
 *   work/      the program's working directory, unless its type names another
 *   log        both streams of the program
 *   started    the claim, created exclusively. By the shim: boot id, why it starts no program where it
 *              starts none, and its /proc/<pid>/stat. By the adapter: `never`, after which no shim goes on
 *   stopping   a stop was asked for, at its mtime: the grace counts from there
 *   signalled  the stop signal was sent: it is not sent again (a second one forces many programs)
 *   refused    the kernel refused to execute the command, or to enter its working directory
 *   exit.<x>   over, at its mtime. <x> is the exit code, or why there is none
 *
 * What each state means to each call. Over means: `start` and `stop` do nothing, `remove` deletes.
 *
 *  killed after              what is there         start     list                     stop          remove
 *  ------------------------  --------------------  --------  -----------------------  ------------  -------
 *  (nothing was begun)       no folder             begins    not shown                -             -
 *  mkdir                     no spec               goes on   not shown (a)            -             -
 *  spec, or spawning         spec                  spawns    pending (b)              claims; over  claims
 *  creating the claim        started, empty        -         pending while the shim   signals it    kills
 *                                                            lives; then broken-off
 *  writing the claim         started               -         running                  signals (c)   kills
 *  starting the program      started               -         running                  signals (c)   kills
 *  the program's end         started               -         running                  signals (c)   kills
 *  a claim without a program started: missing      -         pending while the shim   signals it    kills
 *                                                            lives; then start-failed
 *  writing the code          exit.<code>           -         exited                   -             deletes
 *  adapter's claim           started: never        -         stopped or broken-off    -             deletes
 *  stopping                  + stopping            -         goes on with the stop    signals (c)   kills
 *  signalling                + signalled           -         kills when it is due     the same      kills
 *  the kill after the grace  stopping, no exit.*   -         exited `killed`,         -             deletes
 *                                                            stopped
 *  remove's rename           .trash/<name>.<rand>  begins    not shown; deleted at    -             -
 *                                                  anew      the next opening
 *  and from outside:
 *  shim killed               started, members      -         running                  signals       kills
 *  shim and program killed   started, none         -         exited `killed`          -             deletes
 *  machine started again     started, other boot   -         exited `interrupted`     -             deletes
 *
 * (a) It belongs to nobody yet: the next start goes on with it; an opening deletes it after an hour.
 * (b) With no shim alive and no start for a minute the adapter claims it: broken-off, `interrupted`. Until
 *     then the engine, whose start was not confirmed, asks again.
 * (c) Writes `stopping`, signals the group, writes `signalled`; kills the group when the grace is over.
 */
export interface UnitRecord {
  readonly identity: UnitIdentity
  readonly command: string
  /** As its message names it; absent: the unit's own. */
  readonly workingDir?: string
  readonly stopSignal: number
  readonly stopGraceMs: number
  readonly logTailBytes: number
}

export interface UnitFiles {
  readonly record: UnitRecord
  readonly specifiedAt: Date
  readonly claim?: Claim
  readonly stoppingAt?: Date
  readonly signalled: boolean
  readonly refused: boolean
  readonly end?: UnitEnd
}

/** `word` is an exit code, or why there is none; `at` the time of the file that says so. */
export interface UnitEnd {
  readonly word: string
  readonly at: Date
}

const NEVER = 'never\n'

export type Claim =
  | {
      readonly by: 'shim'
      readonly boot: string
      readonly shim: ProcessStat
      /** Why it starts no program: the word that its end will bear. */
      readonly fails?: string
    }
  | { readonly by: 'adapter' }
  /** Created and not written: its shim is about to, or was killed there. */
  | { readonly by: 'nobody' }

/**
 * Makes the folder and its record, or what is missing of them. Gives the record that is there then, and
 * whether it is the one given.
 */
export async function specify(
  folder: string,
  unit: UnitSpec,
  plan: ProcessPlan,
): Promise<{ readonly record: UnitRecord; readonly fresh: boolean }> {
  if (!(await existing(mkdir(folder, { mode: 0o700 })))) {
    const known = readRecord(folder)
    if (known !== undefined) return { record: known, fresh: false }
  }
  await existing(mkdir(join(folder, 'work'), { mode: 0o700 }))
  // Created here, while a full disk can still be told: a shim that has claimed could only fail.
  await writeFile(join(folder, 'log'), '', { flag: 'a', mode: 0o600 })
  const record: UnitRecord = {
    identity: unit.identity,
    command: plan.argv[0],
    ...(plan.workingDir !== undefined && { workingDir: plan.workingDir }),
    stopSignal: plan.stopSignal,
    stopGraceMs: plan.stopGraceMs,
    logTailBytes: unit.logTailBytes,
  }
  const draft = join(folder, `spec.${randomBytes(6).toString('hex')}`)
  await writeFile(draft, JSON.stringify(record), { flag: 'wx', mode: 0o600 })
  const spec = join(folder, 'spec')
  if (await existing(link(draft, spec))) {
    await unlink(draft)
    return { record, fresh: true }
  }
  const known = readRecord(folder)
  if (known === undefined) await rename(draft, spec)
  else await unlink(draft)
  return { record: known ?? record, fresh: false }
}

/** Creates an empty file, or one that holds a word, exclusively; false where it is there already. */
export async function mark(folder: string, name: string, content = ''): Promise<boolean> {
  return await existing(writeFile(join(folder, name), content, { flag: 'wx', mode: 0o600 }))
}

/**
 * Takes the claim away from every shim, and says why the unit is over with it; false where it was
 * claimed before.
 */
export async function claimFor(
  folder: string,
  why: 'stopped' | 'broken-off' | 'too-large',
): Promise<boolean> {
  if (!(await mark(folder, 'started', NEVER))) return false
  await mark(folder, `exit.${why}`)
  return true
}

/**
 * Undefined where there is no such unit, or none yet. Read in one go, and not by a dozen errands of
 * libuv's threads: the files are tiny, were written moments ago, and lie beside the store, whose reads
 * are no other. It costs a fraction.
 */
export function readUnit(folder: string): UnitFiles | undefined {
  try {
    const names = readdirSync(folder)
    const record = names.includes('spec') ? readRecord(folder) : undefined
    if (record === undefined) return undefined
    const end = names.find((name) => name.startsWith('exit.'))
    return {
      record,
      specifiedAt: modifiedAt(folder, 'spec'),
      signalled: names.includes('signalled'),
      refused: names.includes('refused'),
      ...(names.includes('started') && {
        claim: parseClaim(readFileSync(join(folder, 'started'), 'utf8')),
      }),
      ...(names.includes('stopping') && { stoppingAt: modifiedAt(folder, 'stopping') }),
      ...(end !== undefined && { end: { word: end.slice(5), at: modifiedAt(folder, end) } }),
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Undefined where there is none; one that a power cut has left without its content is none. */
function readRecord(folder: string): UnitRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'spec'), 'utf8')) as UnitRecord
  } catch (error) {
    if (error instanceof SyntaxError || hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

export function parseClaim(text: string): Claim {
  if (text === NEVER) return { by: 'adapter' }
  const [, boot = '', fails, line = ''] = /^(\S+) (?:([a-z]\S*) )?(\d.*)\n$/s.exec(text) ?? []
  const shim = parseStat(line)
  if (shim === undefined) return { by: 'nobody' }
  return { by: 'shim', boot, shim, ...(fails !== undefined && { fails }) }
}

function modifiedAt(folder: string, name: string): Date {
  return lstatSync(join(folder, name)).mtime
}

/** Whether it made what it was to make: false where that is there already. */
async function existing(made: Promise<unknown>): Promise<boolean> {
  try {
    await made
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}
