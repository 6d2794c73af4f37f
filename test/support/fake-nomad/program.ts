import { spawn } from 'node:child_process'
import { mkdir, open } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { taskOf } from './objects.ts'
import type { Allocation, Task } from './objects.ts'
import type { ProgramEnd } from './task-events.ts'

/** What a driver runs of a task. */
export interface Program {
  /** Resolves once it is over. */
  readonly ended: Promise<ProgramEnd>
  signal(name: string): void
  /** Ends it and whatever it has started. */
  kill(): void
}

/** It was not started, in the driver's words, or its configuration was none. */
export type NotStarted = { readonly driverError: string } | { readonly validationError: string }

/** A part that a test writes for a task, in place of a real process. */
export interface Script {
  /** An image is fetched first. */
  readonly pulls?: string
  /** It never starts: the driver's words. */
  readonly fails?: string
  /** How it ends, at once; without it, when it is stopped or the test says so. */
  readonly ends?: ProgramEnd
}

export function scripted({ fails, ends }: Script): Program | NotStarted {
  if (fails !== undefined) return { driverError: fails }
  const end = Promise.withResolvers<ProgramEnd>()
  if (ends !== undefined) end.resolve(ends)
  const stop = (code: number) => {
    end.resolve({ code, signal: code - 128 })
  }
  return {
    ended: end.promise,
    signal: (name) => {
      stop(128 + constants.signals[name as NodeJS.Signals])
    },
    kill: () => {
      stop(137)
    },
  }
}

export type Output = 'stdout' | 'stderr'

export function outputFile(folder: string, allocation: string, output: Output): string {
  return join(folder, allocation, `main.${output}.0`)
}

const NO_CONFIGURATION =
  '2 errors occurred:\n\t* failed to parse config: \n\t* Root value must be object: The root value in a JSON-based configuration must be either a JSON object or a JSON array of objects.\n\n'

/** The task's command as a process of this machine, whatever its driver. */
export async function started(
  allocation: Allocation,
  folder: string,
): Promise<Program | NotStarted> {
  const task = taskOf(allocation.Job)
  const [command, ...args] = commandOf(allocation)
  if (command === undefined) return { validationError: NO_CONFIGURATION }
  const own = join(folder, allocation.ID)
  await mkdir(own, { recursive: true })
  const outputs = await Promise.all(
    (['stdout', 'stderr'] as const).map((name) =>
      open(outputFile(folder, allocation.ID, name), 'a'),
    ),
  )
  try {
    const child = spawn(command, args, {
      cwd: own,
      env: environmentOf(allocation),
      stdio: ['ignore', ...outputs.map(({ fd }) => fd)],
      // A group of its own, to be killed as one.
      detached: true,
    })
    const { pid } = child
    const ended = new Promise<ProgramEnd>((resolve) => {
      child.on('exit', (code, signal) => {
        resolve(endOf(task.Driver, code, signal))
      })
    })
    const failed = await new Promise<string | undefined>((resolve) => {
      child.once('spawn', () => {
        resolve(undefined)
      })
      child.once('error', () => {
        resolve(notFound(task.Driver, command))
      })
    })
    if (failed !== undefined || pid === undefined) return { driverError: failed ?? 'no process' }
    return {
      ended,
      signal: (name) => child.kill(name as NodeJS.Signals),
      kill: () => {
        killGroup(pid)
      },
    }
  } finally {
    await Promise.all(outputs.map((file) => file.close()))
  }
}

function commandOf(allocation: Allocation): readonly string[] {
  const { entrypoint = [], command = [], args = [] } = taskOf(allocation.Job).Config ?? {}
  const words = [entrypoint, command, args].flat() as readonly string[]
  return words.map((word) => filledIn(word, allocation))
}

function environmentOf(allocation: Allocation): NodeJS.ProcessEnv {
  const { Name, Env } = taskOf(allocation.Job)
  const own = Object.entries(Env ?? {}).map(
    ([name, value]) => [name, filledIn(value, allocation)] as const,
  )
  const { PATH, HOME, TMPDIR } = process.env
  return {
    PATH,
    HOME,
    TMPDIR,
    ...Object.fromEntries(own),
    NOMAD_ALLOC_ID: allocation.ID,
    NOMAD_JOB_ID: allocation.JobID,
    NOMAD_TASK_NAME: Name,
  }
}

/** What has been filled in is not looked at again. */
function filledIn(text: string, { Job: job }: Allocation): string {
  const meta = { ...job.Meta, ...taskOf(job).Meta }
  return text.replaceAll(/\$\{NOMAD_META_(\w+)\}/g, (whole, name: string) => meta[name] ?? whole)
}

/** Of a container the driver tells no signal (drivers/docker/handle.go). */
function endOf(driver: Task['Driver'], code: number | null, name: string | null): ProgramEnd {
  const signal = name === null ? 0 : constants.signals[name as NodeJS.Signals]
  const whole = code ?? 128 + signal
  if (driver !== 'docker') return { code: whole, signal }
  if (whole === 0) return { code: 0, signal: 0 }
  return {
    code: whole,
    signal: 0,
    message: `Docker container exited with non-zero exit code: ${whole}`,
  }
}

function notFound(driver: Task['Driver'], command: string): string {
  if (driver === 'docker') {
    return `Failed to start container: API error (400): exec: "${command}": no such file or directory`
  }
  const found = `binary "${command}" could not be found`
  return `failed to launch command with executor: rpc error: code = Unknown desc = ${found}`
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
