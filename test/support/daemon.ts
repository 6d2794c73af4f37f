import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import type { WireTask } from '../../src/core/wire.ts'
import { until } from './store.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

/** A folder with a configuration, in which one real daemon after another may run. */
export class Installation implements AsyncDisposable {
  readonly folder: string
  readonly config: string
  readonly url: string
  readonly port: number
  #daemon: ChildProcess | undefined
  /** What the daemons have said, line by line. */
  readonly lines: string[] = []

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.port = port
    this.url = `http://127.0.0.1:${port}`
    this.config = join(folder, 'config', 'longhaul.yml')
  }

  static async make(
    types: Readonly<Record<string, object>>,
    config: object = {},
    folder?: string,
  ): Promise<Installation> {
    const at = folder ?? (await mkdtemp(join(tmpdir(), 'longhaul-e2e-')))
    const installation = new Installation(at, await freePort())
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

  /** Starts a daemon and waits until it says that it has started, or gives its exit code. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<number | 'started'> {
    const child = spawn(process.execPath, [MAIN, 'run', '--config', this.config], {
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

  get running(): boolean {
    return this.#daemon?.exitCode === null && this.#daemon.signalCode === null
  }

  get pid(): number | undefined {
    return this.#daemon?.pid
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.kill(signal)
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
    let task: WireTask | undefined
    await until(
      async () => {
        task = await this.task(id)
        return task.outcome !== undefined
      },
      `${id} has an outcome`,
      limitMs,
    )
    if (task === undefined) throw new Error(`${id} was never read`)
    return task
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
