import type { Exit } from './exit.ts'
import type { JsonObject } from './json.ts'

/**
 * The states of a task:
 *
 *   queued(due) → starting(n) → running(n) → exited(n) → succeeded | failed | cancelled
 *        ▲                                        │
 *        └──────────── retry, with a due ─────────┘
 *
 * `starting(n)` is written before the scheduler is asked. An attempt may go from `starting` straight
 * to `exited` (refused, never placed, or over before it was seen running). A cancel or a passed
 * deadline ends `queued` at once; in the live states it is a wish beside the state.
 */
export type TaskState = (typeof TASK_STATES)[number]
export const TASK_STATES = [
  'queued',
  'starting',
  'running',
  'exited',
  'succeeded',
  'failed',
  'cancelled',
] as const

export type EndState = 'succeeded' | 'failed' | 'cancelled'

export function isEnded(state: TaskState): state is EndState {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled'
}

export interface Task {
  /** `<type>/<id>`: the id is the sender's. */
  readonly id: string
  readonly type: string
  /** Drawn at acceptance: an id that comes again after a purge is another task. */
  readonly uid: string
  /** Counts the changes: a change is made only on the revision that it was computed from. */
  readonly revision: number
  readonly definition: string
  readonly state: TaskState
  readonly run: number
  readonly input: JsonObject
  readonly priority: number
  readonly createdAt: Date
  /** The message (or request) whose handling accepted it: its redelivery adds nothing. */
  readonly acceptedBy: string
  readonly correlationId?: string
  readonly stickyAttributes: StickyAttributes
  readonly notBefore?: Date
  /** The value of the concurrency key, '' without one. */
  readonly concurrencyKey: string
  /** In `queued`: when it may start. */
  readonly dueAt?: Date
  readonly deadlineAt?: Date
  /** The number of the latest attempt, over all runs; 0 before the first. */
  readonly attempt: number
  /** Memory in bytes that a rule has raised for the next attempts of this run. */
  readonly memoryBytes?: number
  readonly cancelRequested?: CancelRequest
  readonly stuck?: Stuck
  /** How often deciding about the present exit has thrown. */
  readonly decideFailures: number
  readonly outcome?: Outcome
  /** Ended: when its rows may be purged. */
  readonly purgeAt?: Date
}

export type StickyAttributes = Readonly<Record<string, string | number | boolean>>

export interface CancelRequest {
  readonly at: Date
  readonly by?: string
  readonly reason?: string
}

/** The daemon cannot go on with this task by itself. */
export interface Stuck {
  readonly since: Date
  readonly reason: string
}

export type Outcome = { readonly at: Date } & (
  | { readonly state: 'succeeded'; readonly exit: Exit; readonly rule: string }
  | { readonly state: 'failed'; readonly exit: Exit; readonly rule: string }
  | {
      readonly state: 'cancelled'
      readonly exit?: Exit
      readonly by?: string
      readonly reason?: string
    }
)

/** One start of a task on a scheduler. Its number is never reused. */
export interface Attempt {
  readonly number: number
  readonly run: number
  /** The name of what the scheduler holds for it. */
  readonly unit: string
  readonly state: 'starting' | 'running' | 'exited'
  readonly createdAt: Date
  /** When the scheduler was last asked to start it, and when that call was over (absent: not known). */
  readonly startCall: { readonly begunAt: Date; readonly endedAt?: Date }
  /** Until then a start call that was neither taken nor refused may still come through. */
  readonly startSettlesAt?: Date
  /** When the scheduler confirmed the start. Until then absence means: ask again. */
  readonly confirmedAt?: Date
  readonly startDueAt?: Date
  /** The leader's first sight of it running. */
  readonly startedAt?: Date
  readonly attemptDueAt?: Date
  readonly node?: string
  /**
   * The image by its digest, where a scheduler has found it out: before the first start of the run, and
   * the same for every attempt of it.
   */
  readonly image?: string
  readonly unreachableSince?: Date
  /** When the first list that lacked it began. */
  readonly missingSince?: Date
  readonly stop?: Stop
  /** Calls to the scheduler that failed in a row, and when the next may be made. */
  readonly callFailures: number
  readonly callAgainAt?: Date
  /** A list was asked for because of it: until then its answer is awaited. */
  readonly lookAgainAt?: Date
  readonly exit?: Exit
  /** Given up as lost, and heard of all the same: how its copy ended. It decides nothing. */
  readonly lateExit?: Exit
  /** When the exit was recorded, by the leader's clock. */
  readonly exitedAt?: Date
  /** Whether the decision counted it against `max_attempts`. */
  readonly counted?: boolean
  /** Exited: when its unit may be removed, and when it was confirmed gone. */
  readonly releaseAt?: Date
  readonly releasedAt?: Date
}

export interface Stop {
  readonly reason: 'cancelled' | 'deadline' | 'attempt-timeout' | 'start-timeout' | 'unschedulable'
  readonly at: Date
  /** What the scheduler had to say when it was given up. */
  readonly message?: string
  readonly calledAt?: Date
  /** The end of its output, fetched before the stop: some schedulers lose it with the unit. */
  readonly logTail?: string
}

/** A task and all its attempts, oldest first. */
export interface TaskRecord {
  readonly task: Task
  readonly attempts: readonly Attempt[]
}

/** The attempt that the task's state speaks of: none while it is queued for its first. */
export function currentAttempt({ task, attempts }: TaskRecord): Attempt | undefined {
  return attempts.find((attempt) => attempt.number === task.attempt)
}

/** The attempts of the present run. */
export function attemptsOfRun({ task, attempts }: TaskRecord): readonly Attempt[] {
  return attempts.filter((attempt) => attempt.run === task.run)
}
