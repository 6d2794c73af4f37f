import { type Attempt, currentAttempt, isEnded, type TaskRecord } from './task.ts'
import type { TaskType } from './task-type.ts'

/**
 * How long a call to the scheduler may take: less than what is left of a lease of 8 s that is renewed
 * every 2 s, so that no call outlives the lead that it was made under.
 */
export const CALL_TIMEOUT_MS = { start: 5_000, stop: 5_000, remove: 5_000 } as const
/** What a scheduler does not answer may come through for so long from its beginning, where it does not say. */
export const START_SETTLES_MS = 15_000
/** A unit must be missing from lists for so long before it counts as lost. */
export const LOST_AFTER_MS = 10_000
/** An exit that the bus has not brought to the workflow by then is decided by the leader. */
const UNDECIDED_AFTER_MS = 5_000
/** A stop that shows no effect for so long after the grace is asked for again. */
export const STOP_AGAIN_MS = 15_000
/** A stopped unit on a node that does not answer is fenced off after so long, whatever `on_node_lost` says. */
const STOPPED_UNREACHABLE_MS = 60_000
/** Deciding that throws so often makes a task stuck. */
export const MAX_DECIDE_FAILURES = 5

/** The policies that the reconciler goes by. */
export type Policy = Pick<
  TaskType,
  'startTimeoutMs' | 'attemptTimeoutMs' | 'onNodeLost' | 'keep' | 'eventNames' | 'service'
>

/** Something that must be done at a time if nothing is seen before. */
export interface Due {
  readonly at: Date
  readonly what: 'start' | 'attempt-timeout' | 'deadline' | 'stop' | 'look' | 'decide' | 'release'
  readonly attempt?: Attempt
}

/**
 * Everything that is due for a task, now or later, in no order. Empty: nothing is left to do.
 * `leadingSince`: start calls begun before are over, whoever made them.
 */
export function dues(record: TaskRecord, policy: Policy, leadingSince?: Date): readonly Due[] {
  const { task, attempts } = record
  const found: Due[] = []
  for (const attempt of attempts) {
    if (attempt.exit === undefined || attempt.releasedAt !== undefined) continue
    found.push({
      at: afterPause(attempt.releaseAt ?? task.createdAt, attempt),
      what: 'release',
      attempt,
    })
  }
  if (isEnded(task.state)) return found
  const attempt = currentAttempt(record)
  if (task.state === 'queued') {
    if (task.deadlineAt) found.push({ at: task.deadlineAt, what: 'deadline' })
  } else if (attempt?.exit !== undefined) {
    if (task.stuck === undefined) {
      const wait = UNDECIDED_AFTER_MS * (task.decideFailures + 1)
      found.push({ at: after(attempt.exitedAt ?? attempt.exit.at, wait), what: 'decide', attempt })
    }
  } else if (attempt !== undefined) {
    found.push(...liveDues(record, attempt, policy, leadingSince))
  }
  return found
}

function liveDues(
  { task }: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  leadingSince: Date | undefined,
): Due[] {
  const { stop, startCall, confirmedAt, startDueAt, attemptDueAt, startSettlesAt } = attempt
  const found: Due[] = []
  const look = (at: Date): void => {
    const looked = later(at, attempt.lookAgainAt)
    found.push({ at: afterPause(looked, attempt), what: 'look', attempt })
  }
  const borneUntil = unreachableUntil(attempt, policy)
  // A node may be back without a word: only a list begun by then says that it is not.
  if (borneUntil !== undefined) look(borneUntil)
  if (stop === undefined) {
    if (task.deadlineAt) found.push({ at: task.deadlineAt, what: 'deadline', attempt })
    if (attempt.state === 'running' && attemptDueAt) {
      found.push({ at: attemptDueAt, what: 'attempt-timeout', attempt })
    }
    if (attempt.state === 'starting' && startDueAt) {
      // It may run without our having heard of it: a list begun by then says whether it still waits.
      look(startDueAt)
    }
    if (confirmedAt === undefined && task.stuck === undefined) {
      const { begunAt, endedAt } = startCall
      const over = endedAt ?? (leadingSince && begunAt < leadingSince ? leadingSince : undefined)
      const at = afterPause(over ?? after(begunAt, CALL_TIMEOUT_MS.start + 1000), attempt)
      found.push({ at, what: 'start', attempt })
    }
    if (attempt.missingSince !== undefined) {
      look(after(attempt.missingSince, LOST_AFTER_MS))
    }
    return found
  }
  if (stop.calledAt === undefined) {
    // A unit that is stopped may give its name free: a start that comes through then would run it again.
    const at = later(stop.at, startSettlesAt)
    found.push({ at: afterPause(at, attempt), what: 'stop', attempt })
  } else {
    const ended = after(stop.calledAt, policy.service.stopGraceMs + STOP_AGAIN_MS)
    found.push({ at: afterPause(ended, attempt), what: 'stop', attempt })
    // Nothing may be there to tell of its end: a list begun after the stop does.
    if (confirmedAt === undefined) look(later(after(stop.calledAt, 1), startSettlesAt))
  }
  return found
}

/** Whether a start call that was not answered may still make the unit, also once more. */
export function mayStillStart({ startSettlesAt: settlesAt }: Attempt, now: Date): boolean {
  return settlesAt !== undefined && now < settlesAt
}

/** When the reconciler must look at the task again. */
export function wakeAt(record: TaskRecord, policy: Policy): Date | undefined {
  const times = dues(record, policy).map(({ at }) => at.getTime())
  return times.length === 0 ? undefined : new Date(Math.min(...times))
}

export function after(time: Date, ms: number): Date {
  return new Date(time.getTime() + ms)
}

/** How long it is borne that its node does not answer; undefined: for ever, or it does answer. */
export function unreachableUntil(
  { stop, unreachableSince }: Attempt,
  { onNodeLost }: Policy,
): Date | undefined {
  if (unreachableSince === undefined) return undefined
  if (stop !== undefined) return after(unreachableSince, STOPPED_UNREACHABLE_MS)
  return onNodeLost.action === 'retry' ? after(unreachableSince, onNodeLost.afterMs) : undefined
}

/** A call to the scheduler that has failed waits for its pause. */
function afterPause(at: Date, { callAgainAt }: Attempt): Date {
  return later(at, callAgainAt)
}

export function later(at: Date, other: Date | undefined): Date {
  return other !== undefined && other > at ? other : at
}

/** The pause after `failures` failed calls in a row: 1 s, doubling to a minute. */
export function callPauseMs(failures: number): number {
  return Math.min(60_000, 1000 * 2 ** Math.min(failures - 1, 6))
}

/** For a task whose definition cannot be read any more: what keeps it moving and visible. */
export const FALLBACK_POLICY: Policy = {
  startTimeoutMs: 600_000,
  onNodeLost: { action: 'retry', afterMs: 60_000 },
  keep: { outcomeMs: 30 * 86_400_000, failedUnitMs: 3_600_000, logTailBytes: 16_384 },
  eventNames: {},
  service: { environment: {}, stopSignal: 'SIGTERM', stopGraceMs: 10_000, compose: {} },
}
