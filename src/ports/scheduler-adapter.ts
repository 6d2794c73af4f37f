import type { Json } from '../core/json.ts'
import type { TaskType } from '../core/task-type.ts'
import type { Observation, UnitSpec } from '../core/unit.ts'

/**
 * A scheduler, as the engine sees one. An adapter translates and does nothing else: it never retries,
 * persists, decides or publishes. Every call honours its signal: an aborted call throws
 * `Unavailable`, and whether it took effect is then unknown.
 *
 * Every method may throw `Unavailable` (no answer, ask again later); those that say so may also throw
 * `Rejected` (permanent).
 */
export interface SchedulerAdapter extends AsyncDisposable {
  /** Its name in the configuration: `process`, `swarm`, `nomad`. */
  readonly kind: string

  /**
   * How long after its beginning a start that was given up may still come through, for what is done when
   * nothing can any more. Absent: 15 s.
   */
  readonly startSettlesMs?: number

  /**
   * Where it holds units, as a text without secrets that tells the place apart from any other: adapters
   * of one home see the same units, those of different homes see none of each other's. The same for as
   * long as the units are there. Absent: there is only one such place.
   */
  home?(signal: AbortSignal): Promise<string>

  /**
   * What the unit's image means just now, as a name that will always mean the same (its digest);
   * undefined where that cannot be told, or it is such a name already. Changes nothing. The engine keeps
   * the answer to a run's first attempt, and every attempt of the run gets it as `service.image`.
   * `Rejected` for an image that may not run, with the code `image-unavailable` where the registry says
   * no. Absent: images are as they are written.
   */
  resolve?(unit: UnitSpec, signal: AbortSignal): Promise<string | undefined>

  /**
   * Has the scheduler hold and run the unit. Idempotent on `unit.name`: where a unit of that name
   * exists and bears the same identity (running or ended), this resolves and starts nothing; another
   * identity is `Rejected`. When it resolves, the scheduler itself remembers the unit: it will be in
   * every later list until it is removed. `Rejected` also for a spec that the scheduler refuses;
   * its code is `image-unavailable` where it is the image's registry that refuses.
   */
  start(unit: UnitSpec, signal: AbortSignal): Promise<void>

  /**
   * Asks the unit to end: its stop signal, then, after its grace, a kill. Resolves once the scheduler
   * has taken the request. The exit comes as an observation with `stopped: true`. Idempotent; a unit
   * that is over or not there is left alone.
   */
  stop(name: string, signal: AbortSignal): Promise<void>

  /**
   * Makes the scheduler forget the unit, killing whatever still runs of it. Resolves when nothing of
   * it will run any more on any node that can be reached, and no later list shows it. Idempotent; a
   * unit that is not there is success.
   */
  remove(name: string, signal: AbortSignal): Promise<void>

  /** Every unit of this installation that the scheduler still knows. The truth at some moment after the call. */
  list(signal: AbortSignal): Promise<readonly Observation[]>

  /**
   * Changes as they happen, as hints: some may be missing, repeated or late. Resolves once subscribed,
   * so that a list begun afterwards misses nothing. Ends or throws when the stream does; ends when the
   * signal is aborted.
   */
  watch(signal: AbortSignal): Promise<AsyncIterable<Observation>>

  /**
   * What the unit has written, both streams as one, oldest first, in chunks of whole or partial lines.
   * `tailBytes` starts that far from the end. With `follow` it goes on until the unit is over; without
   * it, it ends at what was there. A unit that is not there gives nothing.
   */
  logs(
    name: string,
    options: {
      readonly tailBytes?: number
      readonly follow?: boolean
      readonly signal: AbortSignal
    },
  ): AsyncIterable<string>

  /** Versions, reachability, capabilities: what `doctor` and `readyz` tell. Never throws for what it reports. */
  check(signal: AbortSignal): Promise<readonly CheckResult[]>
}

export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly message: string
  /** What to do about it, where it is not ok. */
  readonly remedy?: string
}

/** What can be said of a scheduler without reaching it. */
export interface SchedulerKind {
  readonly kind: string
  /**
   * What of this task type it would refuse: no attempt could start. Absent where that is among the
   * warnings.
   */
  refusals?(type: TaskType): readonly SchedulerRefusal[]
  /** What of this task type it cannot honour: one sentence a key, each naming the key. */
  warnings(type: TaskType): readonly string[]
  /** What it would be given for this unit, as people read it in `longhaul task render`. */
  render(unit: UnitSpec): Json
}

export interface SchedulerRefusal {
  /** Where it stands below the service, as keys and numbers of list items; empty: the service itself. */
  readonly path: readonly string[]
  readonly message: string
}
