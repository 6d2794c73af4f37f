import { type NomadApi, nomadApi } from '../../../../adapters/scheduler/nomad/client/nomad-api.ts'
import { type NomadSettings, targetOf } from '../../../../adapters/scheduler/nomad/client/target.ts'
import { openNomadScheduler } from '../../../../adapters/scheduler/nomad/open.ts'
import type { NomadScheduler } from '../../../../adapters/scheduler/nomad/scheduler.ts'
import type { AllocationView } from '../../../../adapters/scheduler/nomad/views.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import type { Logger } from '../../../../src/ports/logger.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import type { Program, SchedulerHarness } from '../../../contract/scheduler-adapter.ts'
import { TASK_IMAGE } from '../../../support/task-image.ts'
import { unitOfProgram } from '../../../contract/program-unit.ts'

const never = new AbortController().signal
/** How long a test waits for what a Nomad does; never the thing tested. */
export const LIMIT_MS = 30_000

let harnesses = 0

/**
 * The scheduler of an installation of its own on a Nomad: the one that the environment names, where no
 * other is given. Disposing removes its units. They run by the driver that `NOMAD_TEST_DRIVER` names, else
 * by docker.
 */
export class NomadHarness implements SchedulerHarness {
  readonly adapter: NomadScheduler
  readonly installation: string
  readonly logged: { readonly message: string; readonly fields: unknown }[] = []
  readonly #settings: NomadSettings
  readonly #driver: string
  readonly #api: NomadApi
  readonly #opened: NomadScheduler[] = []
  readonly #units: string[] = []

  constructor({ address, driver }: { readonly address?: string; readonly driver?: string } = {}) {
    harnesses += 1
    this.#settings = { ...(address !== undefined && { address }), tls: {} }
    this.#driver = driver ?? process.env['NOMAD_TEST_DRIVER'] ?? 'docker'
    this.#api = nomadApi(targetOf(this.#settings, process.env))
    this.installation = `test-${process.pid}-${harnesses}`
    this.adapter = this.#open()
  }

  reopen(): Promise<NomadScheduler> {
    return Promise.resolve(this.#open())
  }

  /** A unit that runs a line of shell. */
  script(line: string, service: Partial<Service> = {}): UnitSpec {
    return this.named(this.#name(), { command: ['sh', '-c', line], ...service })
  }

  named(name: string, service: Partial<Service> = {}): UnitSpec {
    const driver = this.#driver
    const limits = { deploy: { resources: { limits: { memory: '32M' } } } }
    const unit = unitNamed(name, {
      image: TASK_IMAGE,
      nomad: { driver, cpu: 20 },
      // Before 1.7 raw_exec holds nothing to it.
      compose: driver === 'raw_exec' ? {} : limits,
      stopGraceMs: 5_000,
      ...service,
    })
    return { ...unit, identity: { ...unit.identity, installation: this.installation } }
  }

  unit(program: Program): UnitSpec {
    return unitOfProgram(program, {
      script: (line, service) => this.script(line, service),
      command: (command) => this.named(this.#name(), { command }),
      sleep: SLEEP,
    })
  }

  /** By Nomad's own word: its nodes need not be this machine. */
  async runs(unit: UnitSpec): Promise<number> {
    const path = `/v1/job/${unit.name}/allocations`
    const allocations = await this.#api.read<readonly AllocationView[]>(path, never, { all: true })
    const events = allocations.flatMap(({ TaskStates }) =>
      Object.values(TaskStates ?? {}).flatMap(({ Events }) => Events ?? []),
    )
    return events.filter(({ Type }) => Type === 'Started').length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#units.map((name) =>
        this.#api.call('DELETE', `/v1/job/${name}`, { signal: never, query: { purge: true } }),
      ),
    )
    for (const adapter of this.#opened) await adapter[Symbol.asyncDispose]()
    await this.#api[Symbol.asyncDispose]()
  }

  #open(): NomadScheduler {
    const log = (message: string, fields: unknown) => void this.logged.push({ message, fields })
    const logger: Logger = { debug: log, info: log, warn: log, error: log }
    const { installation } = this
    const settings = this.#settings
    const adapter = openNomadScheduler({ settings, env: process.env, installation, logger })
    this.#opened.push(adapter)
    return adapter
  }

  #name(): string {
    const name = `lh-${this.installation}-${this.#units.length + 1}`
    this.#units.push(name)
    return name
  }
}

const SLEEP = 'trap "exit 143" TERM; sleep 1000 & wait'
