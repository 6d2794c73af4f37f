import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openProcessScheduler } from '../../../../adapters/scheduler/process/open.ts'
import type { ProcessScheduler } from '../../../../adapters/scheduler/process/scheduler.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { Observation, UnitSpec } from '../../../../src/core/unit.ts'
import type { Logger } from '../../../../src/ports/logger.ts'
import { unitNamed, within } from '../../../contract/scheduler-adapter.ts'
import type { Program, SchedulerHarness } from '../../../contract/scheduler-adapter.ts'
import { unitOfProgram } from '../../../contract/program-unit.ts'

export const never = new AbortController().signal

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/** The process scheduler over a folder of its own, which is removed with all that runs in it. */
export class ProcessHarness implements SchedulerHarness {
  readonly directory: string
  readonly adapter: ProcessScheduler
  readonly #open: () => Promise<ProcessScheduler>
  readonly #opened: ProcessScheduler[] = []
  #units = 0

  private constructor(
    directory: string,
    adapter: ProcessScheduler,
    open: () => Promise<ProcessScheduler>,
  ) {
    this.directory = directory
    this.adapter = adapter
    this.#open = open
    this.#opened.push(adapter)
  }

  static async open(shell?: string): Promise<ProcessHarness> {
    const directory = await mkdtemp(join(tmpdir(), 'longhaul-process-'))
    const options = { directory, installation: 'test', logger: silent }
    const open = (): Promise<ProcessScheduler> =>
      openProcessScheduler(shell === undefined ? options : { ...options, shell })
    return new ProcessHarness(directory, await open(), open)
  }

  async reopen(): Promise<ProcessScheduler> {
    const adapter = await this.#open()
    this.#opened.push(adapter)
    return adapter
  }

  folder(unit: UnitSpec): string {
    return join(this.directory, 'units', unit.name)
  }

  /** A unit that runs a line of shell after it has left its mark. */
  script(line: string, service: Partial<Service> = {}): UnitSpec {
    const name = this.#name()
    return unitNamed(name, {
      command: ['sh', '-c', `echo run >>${this.#marks(name)}; ${line}`],
      ...service,
    })
  }

  /** A unit that runs a command as it is. */
  command(command: readonly string[], service: Partial<Service> = {}): UnitSpec {
    return unitNamed(this.#name(), { command, ...service })
  }

  unit(program: Program): UnitSpec {
    return unitOfProgram(program, {
      script: (line, service) => this.script(line, service),
      command: (command) => this.command(command),
      sleep: 'exec sleep 1000',
    })
  }

  async runs(unit: UnitSpec): Promise<number> {
    try {
      return (await readFile(this.#marks(unit.name), 'utf8')).split('\n').length - 1
    } catch {
      return 0
    }
  }

  async sight(unit: UnitSpec, by = this.adapter): Promise<Observation | undefined> {
    return (await by.list(never)).find((seen) => seen.unit === unit.name)
  }

  async until(unit: UnitSpec, phase: Observation['phase'], by = this.adapter) {
    return await within(5000, `${unit.name} ${phase}`, async () => {
      const seen = await this.sight(unit, by)
      return seen?.phase === phase ? seen : undefined
    })
  }

  async exitOf(unit: UnitSpec, by = this.adapter) {
    const seen = await this.until(unit, 'exited', by)
    if (seen.phase !== 'exited') throw new Error('not exited')
    return { ...seen.exit, stopped: seen.stopped }
  }

  async startRunning(unit: UnitSpec): Promise<void> {
    await this.adapter.start(unit, never)
    await within(5000, 'its program runs', async () => (await this.runs(unit)) > 0 || undefined)
  }

  /** The pid of the unit's shim, which is its group's number. */
  async shim(unit: UnitSpec): Promise<number> {
    return await within(5000, 'its shim has begun', async () => {
      const text = await this.file(unit, 'started')
      return text?.endsWith('\n') === true ? Number(text.split(' ')[1]) : undefined
    })
  }

  async file(unit: UnitSpec, name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.folder(unit), name), 'utf8')
    } catch {
      return undefined
    }
  }

  async write(unit: UnitSpec, name: string, content = ''): Promise<void> {
    await writeFile(join(this.folder(unit), name), content)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { unit } of await this.adapter.list(never)) await this.adapter.remove(unit, never)
    for (const adapter of this.#opened) await adapter[Symbol.asyncDispose]()
    await rm(this.directory, { recursive: true })
  }

  #name(): string {
    this.#units += 1
    return `lh-test-${this.#units}`
  }

  #marks(name: string): string {
    return join(this.directory, `${name}.marks`)
  }
}
