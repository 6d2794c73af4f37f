import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import type { WireTask } from '../../src/core/wire.ts'
import { until } from './store.ts'
import { freePort } from './ports.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
const PROGRAMS = join(import.meta.dirname, '../fixtures/programs')

/** A `command` for `sh`; `$` is doubled, as everywhere in a task type. */
export function shell(script: string): string[] {
  return ['sh', '-c', script.replaceAll('$', '$$$$')]
}

/** A `command` that says `waiting`, and ends once `touch(file)` was called. */
export function waitsFor(file: string, exitCode = 0): string[] {
  return ['sh', join(PROGRAMS, 'wait-for.sh'), file, String(exitCode)]
}

/** One line of a daemon's log. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

/** A folder with a configuration, in which one real daemon after another may run. */
export class Installation implements AsyncDisposable {
  readonly folder: string
  readonly config: string
  readonly url: string
  readonly port: number
  /** The data folder. */
  readonly data: string
  #daemon: ChildProcess | undefined
  /** What the daemons have said, line by line. */
  readonly lines: string[] = []

  private constructor(folder: string, port: number, data: string) {
    this.data = resolve(folder, 'config', data)
    this.folder = folder
    this.port = port
    this.url = `http://127.0.0.1:${port}`
    this.config = join(folder, 'config', 'longhaul.yml')
  }

  static async make(
    types: Readonly<Record<string, object>>,
    config: { readonly data?: string; readonly [key: string]: unknown } = {},
    folder?: string,
  ): Promise<Installation> {
    const at = folder ?? (await mkdtemp(join(tmpdir(), 'longhaul-e2e-')))
    const installation = new Installation(at, await freePort(), config.data ?? '../data')
    await mkdir(join(at, 'config', 'tasks'), { recursive: true })
    const http = { listen: `127.0.0.1:${installation.port}` }
    const tasks = './tasks'
    await writeFile(installation.config, stringify({ data: '../data', tasks, http, ...config }))
    for (const [name, service] of Object.entries(types)) await installation.writeType(name, service)
    return installation
  }

  async writeType(name: string, service: object): Promise<void> {
    const file = join(this.folder, 'config', 'tasks', `${name}.yml`)
    await writeFile(file, stringify({ services: { [name]: service } }))
  }

  async removeType(name: string): Promise<void> {
    await rm(join(this.folder, 'config', 'tasks', `${name}.yml`))
  }

  /** Starts a daemon and waits until it says that it has started, or gives its exit code. */
  async start(
    env: Readonly<Record<string, string>> = {},
    flags: readonly string[] = [],
  ): Promise<number | 'started'> {
    const child = spawn(process.execPath, [MAIN, 'run', '--config', this.config, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LONGHAUL_LOG: 'debug', ...env },
      // Ctrl-C at the test run must not reach it before the test has ended it.
      detached: true,
    })
    this.#daemon = child
    const exited = once(child, 'exit').then(([code]) => (code as number | null) ?? -1)
    const started = new Promise<'started'>((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.lines.push(line)
        if (line.includes('daemon.started')) resolve('started')
      })
    })
    return Promise.race([started, exited])
  }

  /** Runs a second daemon on the same file to its end. */
  async runToEnd(
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly code: number; readonly said: string }> {
    const child = spawn(process.execPath, [MAIN, 'run', '--config', this.config], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { code: code ?? -1, said }
  }

  /** What the daemons have logged, in order; without what is no JSON. */
  get log(): LogLine[] {
    return this.lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as LogLine)
  }

  /** Waits for a line of the log, among those after the first `from`. */
  async logged(
    is: (line: LogLine) => boolean,
    what: string,
    { from = 0, limitMs = 15_000 } = {},
  ): Promise<LogLine> {
    let found: LogLine | undefined
    await until(() => (found = this.log.slice(from).find(is)) !== undefined, what, limitMs)
    if (found === undefined) throw new Error(what)
    return found
  }

  get running(): boolean {
    return this.#daemon?.exitCode === null && this.#daemon.signalCode === null
  }

  get pid(): number | undefined {
    return this.#daemon?.pid
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.kill(signal)
  }

  /** Waits until it is gone by itself, and gives the exit code (or -1 after a killing signal). */
  async exited(): Promise<number> {
    await until(() => !this.running, 'the daemon exits', 15_000)
    return this.#daemon?.exitCode ?? -1
  }

  /** Sends the signal and gives the exit code (or -1 after a killing one) once it is gone. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    const daemon = this.#daemon
    if (daemon === undefined || !this.running) return daemon?.exitCode ?? -1
    const exited = once(daemon, 'exit')
    daemon.kill(signal)
    const [code] = (await exited) as [number | null]
    return code ?? -1
  }

  async fetch(path: string, body?: unknown, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      ...(body !== undefined && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
      ...init,
    })
  }

  /** Makes a file that a program waits for. */
  async touch(file: string): Promise<void> {
    await writeFile(join(this.folder, file), '')
  }

  /** `POST /v1/tasks`, which must accept it. */
  async run(type: string, id?: string, request: object = {}): Promise<WireTask> {
    const response = await this.fetch('/v1/tasks', {
      type,
      input: {},
      ...(id && { id }),
      ...request,
    })
    const text = await response.text()
    if (response.status !== 201) throw new Error(`${response.status}: ${text}`)
    return JSON.parse(text) as WireTask
  }

  /** `POST /v1/messages`, which must take it; gives the message's id. */
  async send(message: object, rest: object = {}): Promise<string> {
    const response = await this.fetch('/v1/messages', { message, ...rest })
    const text = await response.text()
    if (response.status !== 202) throw new Error(`${response.status}: ${text}`)
    return (JSON.parse(text) as { id: string }).id
  }

  async json<T>(path: string): Promise<T> {
    return (await (await this.fetch(path)).json()) as T
  }

  async task(id: string): Promise<WireTask> {
    return this.json<WireTask>(`/v1/tasks/${id}`)
  }

  /** Every task there is. */
  async tasks(): Promise<WireTask[]> {
    const found: WireTask[] = []
    let cursor: string | undefined
    do {
      const query: string = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const page = await this.json<{ tasks: WireTask[]; next?: string }>(
        `/v1/tasks?limit=200${query}`,
      )
      found.push(...page.tasks)
      cursor = page.next
    } while (cursor !== undefined)
    return found
  }

  async ended(id: string, limitMs = 15_000): Promise<WireTask> {
    return this.when(id, ({ outcome }) => outcome !== undefined, 'has an outcome', limitMs)
  }

  /** The task once it is so. */
  async when(
    id: string,
    is: (task: WireTask) => boolean,
    what: string,
    limitMs = 15_000,
  ): Promise<WireTask> {
    let task: WireTask | undefined
    await until(
      async () => {
        const response = await this.fetch(`/v1/tasks/${id}`)
        task = response.status === 200 ? ((await response.json()) as WireTask) : undefined
        return task !== undefined && is(task)
      },
      `${id} ${what}`,
      limitMs,
    )
    if (task === undefined) throw new Error(`${id} was never read`)
    return task
  }

  async inState(id: string, state: WireTask['state']): Promise<WireTask> {
    return this.when(id, (task) => task.state === state, `is ${state}`)
  }

  /** The output of an attempt as far as it is there. */
  async output(id: string, attempt = 1): Promise<string> {
    return (await this.fetch(`/v1/tasks/${id}/attempts/${attempt}/logs`)).text()
  }

  /** The unit folders that are there. */
  async units(): Promise<string[]> {
    const units = join(this.data, 'units')
    const names = await readdir(units).catch(() => [])
    return names.filter((name) => !name.startsWith('.')).map((name) => join(units, name))
  }

  /** The pid of the shim of each unit that runs: the leader of its process group. */
  async groups(): Promise<number[]> {
    const found: number[] = []
    for (const unit of await this.units()) {
      const started = await readFile(join(unit, 'started'), 'utf8').catch(() => '')
      const pid = Number(started.split(' ')[1])
      if (Number.isInteger(pid) && pid > 1 && (await commandOf(pid)).includes('lh__boot')) {
        found.push(pid)
      }
    }
    return found
  }

  /** Ends the daemon and whatever its units still run, and leaves nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
    for (const pid of await this.groups()) killGroup(pid)
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
}

/** The command line of a process; empty where there is none (a zombie has none either). */
export async function commandOf(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
