import { join } from 'node:path'
import { errorMessage } from '../../../src/core/errors.ts'
import type { Observation } from '../../../src/core/unit.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { Changes } from './changes.ts'
import { GraceTimers } from './grace-timers.ts'
import { killUnit, livingOf } from './living.ts'
import { cutLog } from './log-file.ts'
import type { ProcessPlan } from './plan.ts'
import { hasCode, signalProcess } from './processes.ts'
import { spawnShim } from './shim.ts'
import { sightOf } from './sight.ts'
import { claimFor, mark, readUnit } from './unit-folder.ts'
import type { UnitFiles } from './unit-folder.ts'

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
export const UNIT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/

/**
 * The units of an installation in a folder: spawns their shims, looks at them, and goes on with what was
 * begun, by this daemon or by one that is gone, and no shim ends by itself: stops, starts without a shim.
 */
export class UnitKeeper implements AsyncDisposable {
  readonly changes: Changes
  /** How much was cut off the beginning of logs, for their readers. */
  readonly cut = new Map<string, number>()
  readonly #at: Surroundings
  readonly #grace: GraceTimers
  /** Units whose shim this adapter has spawned and not seen end. */
  readonly #spawned = new Map<string, object>()
  readonly #running = new Set<string>()
  readonly #closed = new AbortController()

  constructor(at: Surroundings) {
    this.#at = at
    this.changes = new Changes(join(at.units, '.hints'))
    this.#grace = new GraceTimers((name) => this.#kill(name))
  }

  folder(name: string): string {
    return join(this.#at.units, name)
  }

  /** The files of a unit of this installation. */
  own(name: string): UnitFiles | undefined {
    if (!UNIT_NAME.test(name)) return undefined
    const files = readUnit(this.folder(name))
    return files?.record.identity.installation === this.#at.installation ? files : undefined
  }

  /** Spawns a shim, unless one of this adapter's is under way. */
  async spawn(name: string, plan: ProcessPlan): Promise<void> {
    if (this.#spawned.has(name)) return
    const token = {}
    this.#spawned.set(name, token)
    const over = (): void => {
      if (this.#spawned.get(name) === token) this.#spawned.delete(name)
    }
    const { shell, boot, umask } = this.#at
    const folder = this.folder(name)
    try {
      const child = await spawnShim(plan, { shell, boot, folder, name, umask })
      // Tells also of a shim that was killed, which leaves no hint.
      child.once('exit', () => {
        over()
        this.changes.tell(name)
      })
    } catch (error) {
      over()
      if (!hasCode(error, 'E2BIG')) throw error
      await claimFor(folder, 'too-large')
      this.changes.tell(name)
    }
  }

  /** What is true of it now, after going on with what was begun. */
  async observe(name: string): Promise<Observation | undefined> {
    const folder = this.folder(name)
    let files = this.own(name)
    if (files === undefined) return undefined
    if (files.end === undefined && (await this.#carryOn(name, files)))
      files = readUnit(folder) ?? files
    const sight = await sightOf(folder, files, this.#at.boot)
    if (sight.phase === 'running') this.#running.add(name)
    else this.#running.delete(name)
    if (sight.phase === 'exited') await this.#boundLog(name)
    return { unit: name, identity: files.record.identity, ...sight }
  }

  /** Goes on with what another daemon has begun and cannot end; whether the files have changed by it. */
  async #carryOn(name: string, files: UnitFiles): Promise<boolean> {
    if (files.stoppingAt !== undefined) return await this.goOnStopping(name, files)
    if (files.claim !== undefined || this.#spawned.has(name)) return false
    if (Date.now() - files.specifiedAt.getTime() < START_LIMIT_MS) return false
    const folder = this.folder(name)
    if ((await livingOf(folder, files, this.#at.boot)).length > 0) return false
    return await claimFor(folder, 'broken-off')
  }

  /** Signals it, or kills it once its grace is over; whether its files have changed. */
  async goOnStopping(name: string, files: UnitFiles): Promise<boolean> {
    const folder = this.folder(name)
    if (files.claim === undefined && (await claimFor(folder, 'stopped'))) {
      this.changes.tell(name)
      return true
    }
    const { stopSignal, stopGraceMs } = files.record
    if (!files.signalled) {
      // A shim may have claimed since the files were read.
      const now = readUnit(folder) ?? files
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
      const folder = this.folder(name)
      const files = this.own(name)
      if (files === undefined || files.end !== undefined) return
      await killUnit(folder, files, this.#at.boot, this.#closed.signal)
      this.changes.tell(name)
    } catch (error) {
      if (this.#closed.signal.aborted) return
      // The next list finds it still running, and sets the timer again.
      this.#at.logger.warn('unit.kill-failed', { unit: name, error: errorMessage(error) })
    }
  }

  async #boundLog(name: string): Promise<void> {
    try {
      const removed = await cutLog(join(this.folder(name), 'log'))
      if (removed > 0) this.cut.set(name, (this.cut.get(name) ?? 0) + removed)
    } catch (error) {
      this.#at.logger.warn('unit.log-uncut', { unit: name, error: errorMessage(error) })
    }
  }

  /** Cuts the logs of what runs that have grown too long. */
  boundLogs(): void {
    for (const name of this.#running) void this.#boundLog(name)
  }

  /** Kills whatever runs of it. */
  async kill(name: string, files: UnitFiles, signal: AbortSignal): Promise<void> {
    await killUnit(this.folder(name), files, this.#at.boot, signal)
  }

  /** It is there no more. */
  forget(name: string): void {
    this.#grace.cancel(name)
    this.#spawned.delete(name)
    this.#running.delete(name)
    this.cut.delete(name)
    this.changes.tell(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
    await this.#grace[Symbol.asyncDispose]()
  }
}
