import { readFileSync } from 'node:fs'
import { readFile, readdir, readlink } from 'node:fs/promises'

/** A process as `/proc/<pid>/stat` shows it. */
export interface ProcessStat {
  readonly pid: number
  readonly state: string
  readonly group: number
  readonly session: number
  /** In clock ticks since boot: with the boot id, what tells a process from a later one of its pid. */
  readonly startTime: string
}

/** Undefined for what is no such line. The command's name in it may hold blanks and brackets. */
export function parseStat(line: string): ProcessStat | undefined {
  const match = /^(\d+) \(.*\) (\S) \d+ (\d+) (\d+)((?: -?\d+)+)\s*$/s.exec(line)
  if (match === null) return undefined
  const [, pid, state = '', group, session, rest = ''] = match
  const startTime = rest.trim().split(' ')[15]
  if (startTime === undefined) return undefined
  return { pid: Number(pid), state, group: Number(group), session: Number(session), startTime }
}

export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

/** What new files of this process are denied, as `umask` takes it. */
export async function ownUmask(): Promise<string> {
  return /^Umask:\s*(\d+)/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '022'
}

/** The very process that was seen, and not a zombie. */
export function isAlive(seen: ProcessStat): boolean {
  const now = statOf(seen.pid)
  return now?.startTime === seen.startTime && !isZombie(now)
}

/**
 * What still runs in the group of a leader that is gone. While a group has a member the kernel gives its
 * number to no new process, so a process of that number that is not the leader means that the group
 * has ended. Should such a process have come and gone too, a group of that number is somebody else's:
 * so a member counts only if its environment names the attempt or it writes to the unit's log.
 */
export async function orphansOf(
  leader: ProcessStat,
  ours: { readonly log: string; readonly environment: readonly string[] },
): Promise<readonly number[]> {
  if (!signalProcess(-leader.pid, 0)) return []
  const holder = statOf(leader.pid)
  if (holder !== undefined && holder.startTime !== leader.startTime) return []
  const found: number[] = []
  for (const pid of await allPids()) {
    const stat = statOf(pid)
    if (stat?.group !== leader.pid || stat.session !== leader.pid || isZombie(stat)) continue
    if ((await hasEnvironment(pid, ours.environment)) || (await writesTo(pid, ours.log)))
      found.push(pid)
  }
  return found
}

/** The processes whose working directory is this folder and whose command line holds the text. */
export async function processesIn(folder: string, text: string): Promise<readonly number[]> {
  const found: number[] = []
  for (const pid of await allPids()) {
    if ((await linkOf(`/proc/${pid}/cwd`)) !== folder) continue
    if ((await orGone(readFile(`/proc/${pid}/cmdline`, 'utf8')))?.includes(text) === true)
      found.push(pid)
  }
  return found
}

/**
 * Signals a process, or with a negative number a group; false where there is none. The signal 0 only
 * asks whether there is one, be it somebody else's.
 */
export function signalProcess(pid: number, signal: number): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
    if (hasCode(error, 'EPERM') && signal === 0) return true
    throw error
  }
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

function isZombie({ state }: ProcessStat): boolean {
  return state === 'Z' || state === 'X'
}

/** Memory of the kernel's, read without a detour through libuv's threads. */
function statOf(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch (error) {
    if (hasCode(error, ...GONE)) return undefined
    throw error
  }
}

async function allPids(): Promise<readonly number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
}

async function hasEnvironment(pid: number, entries: readonly string[]): Promise<boolean> {
  const text = await orGone(readFile(`/proc/${pid}/environ`, 'utf8'))
  if (text === undefined) return false
  const own = new Set(text.split('\0'))
  return entries.every((entry) => own.has(entry))
}

async function writesTo(pid: number, log: string): Promise<boolean> {
  for (const fd of [1, 2]) if ((await linkOf(`/proc/${pid}/fd/${fd}`)) === log) return true
  return false
}

async function linkOf(path: string): Promise<string | undefined> {
  return await orGone(readlink(path))
}

/** It has ended meanwhile, or is another user's and so none of ours. */
const GONE = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL'] as const

/** Undefined where the process is gone. */
async function orGone<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read
  } catch (error) {
    if (hasCode(error, ...GONE)) return undefined
    throw error
  }
}
