import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Installation } from '../support/daemon.ts'
import { Services } from './services.ts'
import { Swarm } from './swarm.ts'

export interface BenchOptions {
  /** Finished tasks in the store of the row `million`. */
  readonly rows: number
  /** How long the row `idle` measures, and `swarm-watch` at least. */
  readonly idleMs: number
  /** Tasks that run, and services of finished ones that are kept, in the row `swarm-watch`. */
  readonly swarmRunning: number
  readonly swarmFinished: number
}

/** Hands out what is measured, and clears all of it away in the end, however the run ends. */
export class Workbench implements AsyncDisposable {
  readonly options: BenchOptions
  readonly #installations = new Set<Installation>()
  readonly #folders = new Set<string>()
  readonly #say: (text: string) => void
  readonly #swarms = new Set<Swarm>()
  #services: Promise<Services | undefined> | undefined

  constructor(options: BenchOptions, say: (text: string) => void) {
    this.options = options
    this.#say = say
  }

  /** What is under way, for whoever waits. */
  say(text: string): void {
    this.#say(text)
  }

  /** A configuration without a daemon yet, in a new folder or in that of another. It logs as in production. */
  async installation(
    types: Readonly<Record<string, object>>,
    config: Readonly<Record<string, unknown>> = {},
    folder?: string,
  ): Promise<Installation> {
    const installation = await Installation.make(types, config, folder)
    this.#installations.add(installation)
    return installation
  }

  /** One with a daemon that has started. */
  async daemon(
    types: Readonly<Record<string, object>>,
    config: Readonly<Record<string, unknown>> = {},
    folder?: string,
  ): Promise<Installation> {
    const installation = await this.installation(types, config, folder)
    await startDaemon(installation)
    return installation
  }

  /** One RabbitMQ and one Postgres for all rows; says so where they are not to be had. */
  async services(): Promise<Services | undefined> {
    this.#services ??= Services.open()
    const services = await this.#services
    if (services === undefined) this.#say('  skipped: no RabbitMQ or no Postgres on this machine')
    return services
  }

  /** A new one; says so where there is no dockerd for it. */
  async swarm(): Promise<Swarm | undefined> {
    const why = await Swarm.cannotOpen()
    if (why !== undefined) {
      this.#say(`  skipped: ${why}`)
      return undefined
    }
    const swarm = await Swarm.open()
    this.#swarms.add(swarm)
    return swarm
  }

  /** With everything that runs in it. */
  async clearSwarm(swarm: Swarm): Promise<void> {
    this.#swarms.delete(swarm)
    await swarm[Symbol.asyncDispose]()
  }

  async folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'longhaul-bench-'))
    this.#folders.add(path)
    return path
  }

  /** Ends the daemon and every unit that it has left, and deletes the folder. */
  async clear(installation: Installation): Promise<void> {
    this.#installations.delete(installation)
    await installation.end('SIGKILL')
    killUnits(join(installation.folder, 'data', 'units'))
    await installation[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const installation of this.#installations) await this.clear(installation)
    for (const swarm of this.#swarms) await this.clearSwarm(swarm)
    for (const path of this.#folders) await rm(path, { recursive: true, force: true })
    this.#folders.clear()
    await (await this.#services)?.[Symbol.asyncDispose]()
    this.#services = undefined
  }
}

export async function startDaemon(installation: Installation): Promise<void> {
  const result = await installation.start({ LONGHAUL_LOG: 'info' })
  if (result === 'started') return
  throw new Error(`the daemon ended with ${result}: ${installation.lines.slice(-5).join('\n')}`)
}

/** Units outlive their daemon. Each has left the line of its shim in /proc, which leads its group. */
function killUnits(folder: string): void {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) {
    const started = join(folder, name, 'started')
    const [, pid] = existsSync(started) ? readFileSync(started, 'utf8').split(' ') : []
    if (pid === undefined) continue
    const line = `/proc/${pid}/cmdline`
    if (!existsSync(line) || !readFileSync(line, 'utf8').includes(join(folder, name))) continue
    process.kill(-Number(pid), 'SIGKILL')
  }
}
