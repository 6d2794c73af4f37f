import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImagePolicy } from '../../../../adapters/scheduler/swarm/images.ts'
import { openSwarmScheduler } from '../../../../adapters/scheduler/swarm/open.ts'
import type { SwarmScheduler } from '../../../../adapters/scheduler/swarm/scheduler.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { Observation, UnitSpec } from '../../../../src/core/unit.ts'
import type { Logger } from '../../../../src/ports/logger.ts'
import { unitNamed, within } from '../../../contract/scheduler-adapter.ts'
import type { Program, SchedulerHarness } from '../../../contract/scheduler-adapter.ts'
import type { Dockerd } from '../../../support/dockerd.ts'
import { TASK_IMAGE } from '../../../support/task-image.ts'
import { unitOfProgram } from '../../../contract/program-unit.ts'

export const never = new AbortController().signal
/** How long a test waits for what a swarm does; never the thing tested. */
export const LIMIT_MS = 30_000

let harnesses = 0

/** The Swarm scheduler of an installation of its own; disposing removes its units. */
export class SwarmHarness implements SchedulerHarness {
  readonly adapter: SwarmScheduler
  readonly dockerd: Dockerd
  readonly installation: string
  readonly logged: { readonly message: string; readonly fields: unknown }[] = []
  readonly #folder: string
  readonly #images: ImagePolicy
  readonly #controlSocket: string | undefined
  readonly #opened: SwarmScheduler[] = []
  #units = 0

  private constructor(
    dockerd: Dockerd,
    folder: string,
    images: ImagePolicy,
    controlSocket: string | undefined,
  ) {
    harnesses += 1
    this.dockerd = dockerd
    this.installation = `test-${process.pid}-${harnesses}`
    this.#folder = folder
    this.#images = images
    this.#controlSocket = controlSocket
    this.adapter = this.#open()
  }

  static async open(
    dockerd: Dockerd,
    images: ImagePolicy = { requireDigest: false },
    controlSocket?: string,
  ): Promise<SwarmHarness> {
    const folder = await mkdtemp(join(tmpdir(), 'longhaul-swarm-'))
    return new SwarmHarness(dockerd, folder, images, controlSocket)
  }

  reopen(): Promise<SwarmScheduler> {
    return Promise.resolve(this.#open())
  }

  /** A unit that runs a line of shell after it has left its mark. */
  script(line: string, service: Partial<Service> = {}): UnitSpec {
    const name = this.#name()
    return this.named(name, {
      command: ['sh', '-c', `echo run >>/marks/${name}; ${line}`],
      ...service,
      compose: { ...service.compose, volumes: [`${this.#folder}:/marks`] },
    })
  }

  named(name: string, service: Partial<Service> = {}): UnitSpec {
    const unit = unitNamed(name, { image: TASK_IMAGE, ...service })
    return { ...unit, identity: { ...unit.identity, installation: this.installation } }
  }

  unit(program: Program): UnitSpec {
    return unitOfProgram(program, {
      script: (line, service) => this.script(line, service),
      command: (command) => this.named(this.#name(), { command }),
      sleep: SLEEP,
    })
  }

  async runs(unit: UnitSpec): Promise<number> {
    try {
      return (await readFile(join(this.#folder, unit.name), 'utf8')).split('\n').length - 1
    } catch {
      return 0
    }
  }

  async sight(unit: UnitSpec, by = this.adapter): Promise<Observation | undefined> {
    return (await by.list(never)).find((seen) => seen.unit === unit.name)
  }

  async until(unit: UnitSpec, phase: Observation['phase'], by = this.adapter) {
    return await within(LIMIT_MS, `${unit.name} ${phase}`, async () => {
      const seen = await this.sight(unit, by)
      return seen?.phase === phase ? seen : undefined
    })
  }

  async exitOf(unit: UnitSpec, by = this.adapter) {
    const seen = await this.until(unit, 'exited', by)
    if (seen.phase !== 'exited') throw new Error('not exited')
    return { ...seen.exit, stopped: seen.stopped, node: seen.node }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const filter = `label=longhaul.installation=${this.installation}`
    const ids = (await this.dockerd.docker('service', 'ls', '-q', '--filter', filter)).split('\n')
    await Promise.all(
      ids.filter((id) => id !== '').map((id) => this.dockerd.docker('service', 'rm', id)),
    )
    for (const adapter of this.#opened) await adapter[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true })
  }

  #open(): SwarmScheduler {
    const log = (message: string, fields: unknown) => void this.logged.push({ message, fields })
    const logger: Logger = { debug: log, info: log, warn: log, error: log }
    const { socket } = this.dockerd
    const { installation } = this
    const adapter = openSwarmScheduler({
      socket,
      installation,
      images: this.#images,
      logger,
      ...(this.#controlSocket !== undefined && { controlSocket: this.#controlSocket }),
    })
    this.#opened.push(adapter)
    return adapter
  }

  #name(): string {
    this.#units += 1
    return `lh-${this.installation}-${this.#units}`
  }
}

/** As process 1 a shell without a handler would not heed its stop signal. */
const SLEEP = 'trap "exit 143" TERM; sleep 1000 & wait'
