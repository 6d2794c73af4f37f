import type { TaskType } from '../core/task-type.ts'
import type { CheckResult } from './scheduler-adapter.ts'

/**
 * What people are told of a scheduler without a daemon of theirs, or beside one: looking changes nothing
 * and is in nobody's way.
 */
export interface SchedulerExamination {
  /** More than a daemon needs to be ready. Never throws for what it reports. */
  check(signal: AbortSignal): Promise<readonly CheckResult[]>

  /**
   * What the task types name and the scheduler does not have. Absent where a scheduler holds nothing
   * that could be lacking. Throws `Unavailable` where it does not answer.
   */
  lacking?(types: readonly TaskType[], signal: AbortSignal): Promise<Lacking>

  /** The time by the scheduler's clock, where it has one of its own. Throws `Unavailable`. */
  now?(signal: AbortSignal): Promise<Date>
}

/** What a look has found out about what the task types name. */
export interface Lacking {
  readonly lacks: readonly Lack[]
  /** What could not be looked at, whatever of it is there. */
  readonly unseen: readonly Unseen[]
}

/** Why some of it is not known, and how it could be. */
export interface Unseen {
  readonly message: string
  readonly remedy: string
}

/** Something that a task type names and the scheduler does not have: its attempts cannot start. */
export interface Lack {
  readonly taskType: string
  /** Where the service names it, as keys and numbers of list items: `['secrets', '0']`. */
  readonly path: readonly string[]
  readonly message: string
  readonly remedy: string
}
