import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Rejected, Unavailable, errorMessage } from '../../../src/core/errors.ts'
import { sameIdentity } from '../../../src/core/unit.ts'
import type { Observation, UnitSpec } from '../../../src/core/unit.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { CheckResult, SchedulerAdapter } from '../../../src/ports/scheduler-adapter.ts'
import { Changes } from './changes.ts'
import { readOn } from './follow.ts'
import { GraceTimers } from './grace-timers.ts'
import { checkHealth } from './health.ts'
import { killUnit, livingOf } from './living.ts'
import { cutLog } from './log-file.ts'
import { planOf } from './plan.ts'
import type { ProcessPlan } from './plan.ts'
import { hasCode, signalProcess } from './processes.ts'
import { spawnShim } from './shim.ts'
import { sightOf } from './sight.ts'
import { claimFor, mark, readUnit, specify } from './unit-folder.ts'
import type { UnitFiles } from './unit-folder.ts'
import { Wake } from './wake.ts'

export interface Surroundings {
  /** The folder of the units, without symbolic links in its path: /proc shows none. */
  readonly units: string
  readonly folderId: string
  readonly installation: string
  readonly logger: Logger
  readonly shell: string
  readonly boot: string
  readonly umask: string
}

/** How long a unit may be without a shim before its start counts as broken off. */
const START_LIMIT_MS = 60_000
/** How often logs of running units are measured while somebody watches: what bounds them. */
const MEASURE_LOGS_MS = 5000
/** A follower looks this often by itself: a shim that was killed leaves no event. */
const FOLLOW_MS = 1000
const UNIT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/

/**
 * Units as processes of this machine, kept in folders (unit-folder.ts says how) and apart from the
 * daemon: they go on when it is killed. It is the scheduler as well as its adapter, so it ends stops
 * that were begun by a daemon that is gone: when it is opened, and whenever it sees such a unit.
 */
export class ProcessScheduler implements SchedulerAdapter {
  readonly kind = 'process'
  /** The random id of the folder: a daemon with another folder sees none of this one's units. */
  readonly folderId: string
  readonly #at: Surroundings
  readonly #changes: Changes
  readonly #grace: GraceTimers
  /** Units whose shim this adapter has spawned and not seen end. */
  readonly #spawned = new Map<string, object>()
  readonly #running = new Set<string>()
  /** How much was cut off the beginning of logs, for their readers. */
  readonly #cut = new Map<string, number>()
  readonly #closed = new AbortController()

  constructor(at: Surroundings) {
    this.#at = at
    this.folderId = at.folderId
    this.#changes = new Changes(join(at.units, '.hints'))
    this.#grace = new GraceTimers((name) => this.#kill(name))
  }

  async start(unit: UnitSpec, signal: AbortSignal): Promise<void> {
    if (!UNIT_NAME.test(unit.name))
      throw new Rejected('unit-name', `'${unit.name}' cannot be the name of a unit`)
    if (unit.identity.installation !== this.#at.installation)
      throw new Rejected('installation', `${unit.name} belongs to another installation`)
    const plan = planOf(unit, process.env)
    await this.#call(signal, async () => {
      const folder = this.#folder(unit.name)
      const { record, fresh } = await specify(folder, unit, plan)
      if (!sameIdentity(record.identity, unit.identity))
        throw new Rejected('identity', `${unit.name} is there and is another attempt`)
      refuseAborted(signal)
      if (!fresh) {
        const files = await readUnit(folder)
        if (files === undefined)
          throw new Unavailable('removed', `${unit.name} was removed while it was started`)
        if (files.claim !== undefined || files.stoppingAt !== undefined) return
      }
      await this.#spawn(unit.name, plan)
    })
  }

  async stop(name: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal, async () => {
      const folder = this.#folder(name)
      const files = await this.#own(name)
      if (files === undefined) return
      if ((await sightOf(folder, files, this.#at.boot)).phase === 'exited') return
      refuseAborted(signal)
      if (files.stoppingAt === undefined) await mark(folder, 'stopping')
      const asked = await readUnit(folder)
      if (asked !== undefined) await this.#goOnStopping(name, asked)
    })
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal, async () => {
      const folder = this.#folder(name)
      const files = await this.#own(name)
      if (files === undefined) return
      // Whatever shim has not claimed by now never will.
      await claimFor(folder, 'broken-off')
      refuseAborted(signal)
      await killUnit(folder, (await readUnit(folder)) ?? files, this.#at.boot, signal)
      // A name that is no unit's: what a crash leaves undeleted is no unit any more.
      const trash = join(this.#at.units, '.trash', `${name}.${randomBytes(6).toString('hex')}`)
      await orAbsent(rename(folder, trash))
      this.#grace.cancel(name)
      this.#spawned.delete(name)
      this.#running.delete(name)
      this.#cut.delete(name)
      await rm(join(this.#at.units, '.hints', name), { force: true })
      this.#changes.tell(name)
      try {
        await rm(trash, { recursive: true, force: true })
      } catch (error) {
        this.#at.logger.warn('unit.undeleted', { folder: trash, error: errorMessage(error) })
      }
    })
  }

  async list(signal: AbortSignal): Promise<readonly Observation[]> {
    return await this.#call(signal, async () => {
      const names = (await readdir(this.#at.units)).filter((name) => UNIT_NAME.test(name))
      const seen = await Promise.all(names.map((name) => this.#observe(name)))
      refuseAborted(signal)
      return seen.filter((observation) => observation !== undefined)
    })
  }

  async watch(signal: AbortSignal): Promise<AsyncIterable<Observation>> {
    return await this.#call(signal, () => {
      const until = AbortSignal.any([signal, this.#closed.signal])
      const names = this.#changes.subscribe(until)
      const measuring = setInterval(() => {
        for (const name of this.#running) void this.#boundLog(name)
      }, MEASURE_LOGS_MS).unref()
      until.addEventListener(
        'abort',
        () => {
          clearInterval(measuring)
        },
        { once: true },
      )
      return Promise.resolve(this.#observations(names, until))
    })
  }

  async *logs(
    name: string,
    options: {
      readonly tailBytes?: number
      readonly follow?: boolean
      readonly signal: AbortSignal
    },
  ): AsyncGenerator<string, void, undefined> {
    const { signal, tailBytes, follow = false } = options
    const until = AbortSignal.any([signal, this.#closed.signal])
    const folder = this.#folder(name)
    if ((await this.#call(signal, () => this.#own(name))) === undefined) return
    const wake = new Wake()
    const raise = (): void => {
      wake.raise()
    }
    const unlisten = this.#changes.listen((changed) => {
      if (changed === name) raise()
    })
    let watcher: FSWatcher | undefined
    try {
      if (follow) watcher = watch(folder, raise).on('error', raise)
      yield* readOn(join(folder, 'log'), {
        tailBytes,
        follow,
        removed: () => this.#cut.get(name) ?? 0,
        turn: async () => {
          refuseAborted(until)
          const phase = follow ? (await this.#observe(name))?.phase : undefined
          return phase === 'running' || phase === 'pending' ? 'more' : 'last'
        },
        wait: () => wake.wait(until, FOLLOW_MS),
      })
    } catch (error) {
      throw asUnavailable(error)
    } finally {
      unlisten()
      watcher?.close()
    }
  }

  async check(_signal: AbortSignal): Promise<readonly CheckResult[]> {
    return await checkHealth(this.#at.units, this.#at.shell)
  }

  /** Units go on; what was to be killed after its grace is killed by the next daemon. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
    await this.#grace[Symbol.asyncDispose]()
  }

  async #spawn(name: string, plan: ProcessPlan): Promise<void> {
    if (this.#spawned.has(name)) return
    const token = {}
    this.#spawned.set(name, token)
    const over = (): void => {
      if (this.#spawned.get(name) === token) this.#spawned.delete(name)
    }
    const { shell, boot, umask } = this.#at
    const folder = this.#folder(name)
    try {
      const child = await spawnShim(plan, { shell, boot, folder, name, umask })
      // Tells also of a shim that was killed, which leaves no hint.
      child.once('exit', () => {
        over()
        this.#changes.tell(name)
      })
    } catch (error) {
      over()
      if (!hasCode(error, 'E2BIG')) throw error
      await claimFor(folder, 'too-large')
      this.#changes.tell(name)
    }
  }

  async *#observations(
    names: AsyncIterable<string>,
    until: AbortSignal,
  ): AsyncGenerator<Observation, void, undefined> {
    try {
      for await (const name of names) {
        const seen = UNIT_NAME.test(name) ? await this.#observe(name) : undefined
        if (until.aborted) return
        if (seen !== undefined) yield seen
      }
    } catch (error) {
      throw asUnavailable(error)
    }
  }

  async #observe(name: string): Promise<Observation | undefined> {
    const folder = this.#folder(name)
    let files = await this.#own(name)
    if (files === undefined) return undefined
    if (files.end === undefined && (await this.#carryOn(name, files)))
      files = (await readUnit(folder)) ?? files
    const sight = await sightOf(folder, files, this.#at.boot)
    if (sight.phase === 'running') this.#running.add(name)
    else this.#running.delete(name)
    if (sight.phase === 'exited') await this.#boundLog(name)
    return { unit: name, identity: files.record.identity, ...sight }
  }

  /** Goes on with what another daemon has begun and cannot end; whether the files have changed by it. */
  async #carryOn(name: string, files: UnitFiles): Promise<boolean> {
    if (files.stoppingAt !== undefined) return await this.#goOnStopping(name, files)
    if (files.claim !== undefined || this.#spawned.has(name)) return false
    if (Date.now() - files.specifiedAt.getTime() < START_LIMIT_MS) return false
    const folder = this.#folder(name)
    if ((await livingOf(folder, files, this.#at.boot)).length > 0) return false
    return await claimFor(folder, 'broken-off')
  }

  async #goOnStopping(name: string, files: UnitFiles): Promise<boolean> {
    const folder = this.#folder(name)
    if (files.claim === undefined && (await claimFor(folder, 'stopped'))) {
      this.#changes.tell(name)
      return true
    }
    const { stopSignal, stopGraceMs } = files.record
    if (!files.signalled) {
      // A shim may have claimed since the files were read.
      const now = (await readUnit(folder)) ?? files
      const living = await livingOf(folder, now, this.#at.boot)
      for (const pid of living) signalProcess(pid, stopSignal)
      await mark(folder, 'signalled')
      if (living.length === 0) return true
    }
    const waitedMs = Date.now() - (files.stoppingAt ?? new Date()).getTime()
    this.#grace.set(name, stopGraceMs - Math.max(0, waitedMs))
    return false
  }

  async #kill(name: string): Promise<void> {
    try {
      const folder = this.#folder(name)
      const files = await this.#own(name)
      if (files === undefined || files.end !== undefined) return
      await killUnit(folder, files, this.#at.boot, this.#closed.signal)
      this.#changes.tell(name)
    } catch (error) {
      if (this.#closed.signal.aborted) return
      // The next list finds it still running, and sets the timer again.
      this.#at.logger.warn('unit.kill-failed', { unit: name, error: errorMessage(error) })
    }
  }

  async #boundLog(name: string): Promise<void> {
    try {
      const removed = await cutLog(join(this.#folder(name), 'log'))
      if (removed > 0) this.#cut.set(name, (this.#cut.get(name) ?? 0) + removed)
    } catch (error) {
      this.#at.logger.warn('unit.log-uncut', { unit: name, error: errorMessage(error) })
    }
  }

  /** The files of a unit of this installation. */
  async #own(name: string): Promise<UnitFiles | undefined> {
    if (!UNIT_NAME.test(name)) return undefined
    const files = await readUnit(this.#folder(name))
    return files?.record.identity.installation === this.#at.installation ? files : undefined
  }

  #folder(name: string): string {
    return join(this.#at.units, name)
  }

  async #call<T>(signal: AbortSignal, body: () => Promise<T>): Promise<T> {
    refuseAborted(signal)
    refuseAborted(this.#closed.signal)
    try {
      return await body()
    } catch (error) {
      throw asUnavailable(error)
    }
  }
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new Unavailable('aborted', 'the call was given up', signal.reason)
}

/** What the system refuses now (a full disk, no process to be had …) it may grant later. */
function asUnavailable(error: unknown): unknown {
  return error instanceof Error && 'syscall' in error
    ? new Unavailable('system', error.message, error)
    : error
}

async function orAbsent(done: Promise<unknown>): Promise<void> {
  try {
    await done
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}
