import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Rejected, Unavailable, errorMessage } from '../../../src/core/errors.ts'
import { sameIdentity } from '../../../src/core/unit.ts'
import type { Observation, UnitSpec } from '../../../src/core/unit.ts'
import type { CheckResult, SchedulerAdapter } from '../../../src/ports/scheduler-adapter.ts'
import { readOn } from './follow.ts'
import { checkHealth } from './health.ts'
import { planOf } from './plan.ts'
import { hasCode } from './processes.ts'
import { sightOf } from './sight.ts'
import { claimFor, mark, readUnit, specify } from './unit-folder.ts'
import { UNIT_NAME, UnitKeeper } from './unit-keeper.ts'
import type { Surroundings } from './unit-keeper.ts'
import { Wake } from '../wake.ts'

/** How often logs of running units are measured while somebody watches: what bounds them. */
const MEASURE_LOGS_MS = 5000
/** A follower looks this often by itself: a shim that was killed leaves no event. */
const FOLLOW_MS = 1000

/**
 * Units as processes of this machine, kept in folders (unit-folder.ts says how) and apart from the
 * daemon: they go on when it is killed. It is the scheduler as well as its adapter, so it ends stops
 * that were begun by a daemon that is gone: when it is opened, and whenever it sees such a unit.
 */
export class ProcessScheduler implements SchedulerAdapter {
  readonly kind = 'process'
  /** The shim that was forked just before the daemon ended; nothing else outlives a call. */
  readonly startSettlesMs = 1_000
  /** The random id of the folder: a daemon with another folder sees none of this one's units. */
  readonly folderId: string
  readonly #at: Surroundings
  readonly #units: UnitKeeper
  readonly #closed = new AbortController()

  constructor(at: Surroundings) {
    this.#at = at
    this.folderId = at.folderId
    this.#units = new UnitKeeper(at)
  }

  home(): Promise<string> {
    return Promise.resolve(`process ${this.folderId}`)
  }

  async start(unit: UnitSpec, signal: AbortSignal): Promise<void> {
    if (!UNIT_NAME.test(unit.name))
      throw new Rejected('unit-name', `'${unit.name}' cannot be the name of a unit`)
    if (unit.identity.installation !== this.#at.installation)
      throw new Rejected('installation', `${unit.name} belongs to another installation`)
    const plan = planOf(unit, process.env)
    await this.#call(signal, async () => {
      const folder = this.#units.folder(unit.name)
      const { record, fresh } = await specify(folder, unit, plan)
      if (!sameIdentity(record.identity, unit.identity))
        throw new Rejected('identity', `${unit.name} is there and is another attempt`)
      refuseAborted(signal)
      if (!fresh) {
        const files = readUnit(folder)
        if (files === undefined)
          throw new Unavailable('removed', `${unit.name} was removed while it was started`)
        if (files.claim !== undefined || files.stoppingAt !== undefined) return
      }
      await this.#units.spawn(unit.name, plan)
    })
  }

  async stop(name: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal, async () => {
      const folder = this.#units.folder(name)
      const files = this.#units.own(name)
      if (files === undefined) return
      if ((await sightOf(folder, files, this.#at.boot)).phase === 'exited') return
      refuseAborted(signal)
      if (files.stoppingAt === undefined) await mark(folder, 'stopping')
      const asked = readUnit(folder)
      if (asked !== undefined) await this.#units.goOnStopping(name, asked)
    })
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#call(signal, async () => {
      const folder = this.#units.folder(name)
      const files = this.#units.own(name)
      if (files === undefined) return
      // Whatever shim has not claimed by now never will.
      await claimFor(folder, 'broken-off')
      refuseAborted(signal)
      await this.#units.kill(name, readUnit(folder) ?? files, signal)
      // A name that is no unit's: what a crash leaves undeleted is no unit any more.
      const trash = join(this.#at.units, '.trash', `${name}.${randomBytes(6).toString('hex')}`)
      await orAbsent(rename(folder, trash))
      await rm(join(this.#at.units, '.hints', name), { force: true })
      this.#units.forget(name)
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
      const seen = await Promise.all(names.map((name) => this.#units.observe(name)))
      refuseAborted(signal)
      return seen.filter((observation) => observation !== undefined)
    })
  }

  async watch(signal: AbortSignal): Promise<AsyncIterable<Observation>> {
    return await this.#call(signal, () => {
      const until = AbortSignal.any([signal, this.#closed.signal])
      const names = this.#units.changes.subscribe(until)
      const measuring = setInterval(() => {
        this.#units.boundLogs()
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
    const folder = this.#units.folder(name)
    if ((await this.#call(signal, () => this.#units.own(name))) === undefined) return
    const wake = new Wake()
    const raise = (): void => {
      wake.raise()
    }
    const unlisten = this.#units.changes.listen((changed) => {
      if (changed === name) raise()
    })
    let watcher: FSWatcher | undefined
    try {
      if (follow) watcher = watch(folder, raise).on('error', raise)
      yield* readOn(join(folder, 'log'), {
        tailBytes,
        follow,
        removed: () => this.#units.cut.get(name) ?? 0,
        turn: async () => {
          refuseAborted(until)
          const phase = follow ? (await this.#units.observe(name))?.phase : undefined
          return phase === 'running' || phase === 'pending' ? 'more' : 'last'
        },
        wait: async () => {
          await wake.wait(until, FOLLOW_MS)
        },
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
    await this.#units[Symbol.asyncDispose]()
  }

  async *#observations(
    names: AsyncIterable<string>,
    until: AbortSignal,
  ): AsyncGenerator<Observation, void, undefined> {
    try {
      for await (const name of names) {
        const seen = UNIT_NAME.test(name) ? await this.#units.observe(name) : undefined
        if (until.aborted) return
        if (seen !== undefined) yield seen
      }
    } catch (error) {
      throw asUnavailable(error)
    }
  }

  async #call<T>(signal: AbortSignal, body: () => T | Promise<T>): Promise<T> {
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
