import type { Change, EventDraft } from '../core/change.ts'
import type { Task, TaskRecord, TaskState } from '../core/task.ts'
import type { Definition } from '../core/task-type.ts'
import type { Lease } from './leadership.ts'

/**
 * What should be. Every method may throw `Unavailable`: then nothing was written, or (a connection cut
 * in the commit) the same call again finds out. Methods that take a lease throw `LeaseLost` where
 * another process has taken over, and then nothing was written.
 */
export interface TaskStore {
  /**
   * Inserts the task with its definition and events, unless its id is known: then nothing is written
   * and the known task comes back with `accepted: false`.
   */
  accept(
    task: Task,
    definition: Definition,
    events: readonly EventDraft[],
  ): Promise<{ readonly accepted: boolean; readonly record: TaskRecord }>

  find(taskId: string): Promise<TaskRecord | undefined>

  /** Newest first. `cursor` is a page's `next`. */
  list(query: TaskQuery): Promise<{ readonly tasks: readonly TaskRecord[]; readonly next?: string }>

  definition(hash: string): Promise<Definition | undefined>
  /** Keeps a definition that a change is about to name; one that is known adds nothing. */
  define(definition: Definition): Promise<void>

  /**
   * Makes the change whole or not at all. `stale`: the task has another revision (or is gone); load it
   * again. `repeated`: the change's `commandId` has had its effect before.
   */
  apply(change: Change, lease?: Lease): Promise<'applied' | 'stale' | 'repeated'>

  /** Whether a cancel's or redrive's message id has had its effect. */
  hasApplied(commandId: string): Promise<boolean>

  /** Puts events into the outbox that belong to no transition (rejections, answers to repeats). */
  append(events: readonly EventDraft[]): Promise<void>

  /** Tasks whose `wakeAt` has come, earliest first. */
  due(now: Date, limit: number): Promise<readonly TaskRecord[]>
  /** The earliest `wakeAt`. */
  nextDue(): Promise<Date | undefined>

  /** Attempts in `starting` and `running`, counted from their rows. */
  inFlight(): Promise<readonly Group[]>
  /** Those attempts' units and tasks. */
  liveUnits(): Promise<readonly { readonly unit: string; readonly taskId: string }[]>
  /** The tasks of those attempts about whom the latest call to the scheduler has failed. */
  callsFailed(): Promise<readonly string[]>

  /**
   * Queued tasks that are due and not stuck, in the order in which they start (`startRank`), of the
   * groups given no more than there is room for. What it costs does not grow with how many of a group
   * without room wait.
   */
  startable(now: Date, bounded: readonly Bounded[], limit: number): Promise<readonly TaskRecord[]>
  /** The earliest time after `now` at which a queued task becomes due. */
  nextStart(now: Date): Promise<Date | undefined>

  /**
   * Tasks that have kept (exited, unreleased) units beyond the newest `keep` of their type, none of
   * which is due for release anyway.
   */
  overKept(keep: number, now: Date, limit: number): Promise<readonly TaskRecord[]>

  /** Moves the dues of starts, attempts, lost nodes and backoffs; `notBefore` and `deadline` stay. */
  shiftDues(ms: number, lease: Lease): Promise<void>

  /**
   * Has the units be at `home` (see `SchedulerAdapter.home`) where they are nowhere yet, or there already,
   * or where no attempt is unreleased; with `abandon` whatever there is. Else they stay where they are.
   */
  settle(home: string, lease: Lease, options?: { readonly abandon?: boolean }): Promise<Settled>

  /** Removes ended tasks whose `purgeAt` has come, whose events are sent and whose units are gone. */
  purge(now: Date, limit: number, lease: Lease): Promise<number>

  /** Figures of what is live, for metrics; costs nothing that grows with what has ended. */
  figures(now: Date): Promise<StoreFigures>
}

export interface Settled {
  /** Where the units are: the home that was given, or the one that they have to stay at. */
  readonly at: string
  /** Where they stay at another: how many attempts are unreleased. */
  readonly units?: number
  /** Where another home was replaced: that one, and how many attempts it was abandoned with. */
  readonly moved?: { readonly from: string; readonly units: number }
}

export interface TaskQuery {
  readonly type?: string
  readonly state?: TaskState
  readonly limit: number
  readonly cursor?: string
}

/** The tasks of one concurrency key of a type ('' without a key). */
export interface Group {
  readonly type: string
  readonly key: string
  readonly count: number
}

/** A group of which only so many more may start: none where it says nothing. */
export interface Bounded extends Pick<Group, 'type' | 'key'> {
  readonly room?: number
}

export interface StoreFigures {
  readonly tasks: readonly {
    readonly type: string
    readonly state: TaskState
    readonly count: number
  }[]
  readonly oldestQueued: readonly { readonly type: string; readonly dueAt: Date }[]
  readonly unreleasedUnits: { readonly count: number; readonly oldest?: Date }
  readonly stuck: number
  readonly outbox: { readonly count: number; readonly oldest?: Date }
}
