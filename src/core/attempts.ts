import { cameThrough, confirmed } from './attempt-calls.ts'
import { change, type Change } from './change.ts'
import { after, later, type Policy, START_SETTLES_MS } from './dues.ts'
import { exitedEvents, startedEvents } from './events.ts'
import { type Exit, type ExitReason, faultOf, type ObservedExit } from './exit.ts'
import { type Attempt, attemptsOfRun, type Stop, type TaskRecord } from './task.ts'

/** The changes to an attempt, as pure functions of the record that they are made on. */

/** `queued` → `starting(n)`: written before the scheduler is asked. */
export function beginAttempt(
  record: TaskRecord,
  policy: Policy,
  unit: string,
  now: Date,
  settlesMs = START_SETTLES_MS,
): Change {
  const number = record.task.attempt + 1
  const image = attemptsOfRun(record).find((earlier) => earlier.image !== undefined)?.image
  const attempt: Attempt = {
    number,
    run: record.task.run,
    unit,
    state: 'starting',
    createdAt: now,
    startCall: { begunAt: now },
    startSettlesAt: after(now, settlesMs),
    callFailures: 0,
    ...(image !== undefined && { image }),
  }
  return change(record, policy, {
    task: { state: 'starting', attempt: number },
    without: ['dueAt'],
    attempt,
  })
}

/** The attempt is to end. Written before the scheduler is asked. */
export function stopRequested(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  reason: Stop['reason'],
  now: Date,
  message?: string,
): Change {
  return change(record, policy, { attempt: withStop(attempt, reason, now, message) })
}

export function withStop(
  attempt: Attempt,
  reason: Stop['reason'],
  now: Date,
  message?: string,
): Attempt {
  const { callAgainAt: _, missingSince: __, ...rest } = attempt
  const stop = { reason, at: now, ...(message !== undefined && { message }) }
  return { ...rest, stop, callFailures: 0 }
}

/** Held by the scheduler, running or not yet, on a node that answers. Undefined: that is known. */
export function seenAlive(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  phase: 'pending' | 'running',
  node: string | undefined,
  now: Date,
): Change | undefined {
  const starts = phase === 'running' && attempt.state === 'starting'
  const known =
    attempt.confirmedAt !== undefined &&
    attempt.missingSince === undefined &&
    attempt.unreachableSince === undefined
  if (known && !starts) return undefined
  const {
    missingSince: _,
    unreachableSince: __,
    ...rest
  } = unpaused(confirmed(attempt, policy, now))
  if (!starts) return change(record, policy, { attempt: rest })
  const { attemptTimeoutMs } = policy
  return change(record, policy, {
    task: { state: 'running' },
    attempt: {
      ...rest,
      state: 'running',
      startedAt: now,
      ...(node !== undefined && { node }),
      ...(attemptTimeoutMs !== undefined && { attemptDueAt: after(now, attemptTimeoutMs) }),
    },
    events: ({ task }) => startedEvents(task, policy, now, attempt.number, node),
  })
}

/** What is known of it has changed: a fencing that did not get through is no more what is wanted. */
function unpaused(attempt: Attempt): Attempt {
  if (attempt.stop !== undefined) return attempt
  const { callAgainAt: _, ...rest } = attempt
  return { ...rest, callFailures: 0 }
}

/** On a node that does not answer; borne from the leader's first sight of it. */
export function seenUnreachable(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  now: Date,
): Change | undefined {
  const { unreachableSince } = attempt
  if (unreachableSince !== undefined && attempt.missingSince === undefined) return undefined
  const { missingSince: _, ...rest } = unpaused(confirmed(attempt, policy, now))
  return change(record, policy, { attempt: { ...rest, unreachableSince: unreachableSince ?? now } })
}

/** A list begun at `listedAt` lacks it for the first time. */
export function seenMissing(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  listedAt: Date,
): Change {
  return change(record, policy, { attempt: { ...unpaused(attempt), missingSince: listedAt } })
}

/**
 * `starting(n)` or `running(n)` → `exited(n)`. The first truth wins: an attempt that has an exit keeps
 * it. `gone`: its unit is known to be no more. A unit of a failure is kept for people to look at.
 */
export function exitRecorded(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  observed: ObservedExit,
  now: Date,
  { gone = false, node }: { readonly gone?: boolean; readonly node?: string | undefined } = {},
): Change {
  const exit = exitOf(attempt, observed, now)
  // Over before it was seen running: that it ran is told all the same, and first.
  const ranUnseen = attempt.state === 'starting' && ran(exit)
  const kept = exit.fault === 'none' || exit.fault === 'operator' ? 0 : policy.keep.failedUnitMs
  const { callAgainAt: _, ...rest } = gone ? attempt : cameThrough(attempt)
  return change(record, policy, {
    task: { state: 'exited', decideFailures: 0 },
    attempt: {
      ...rest,
      state: 'exited',
      ...(ranUnseen && { startedAt: exit.at < now ? exit.at : now }),
      ...(node !== undefined && { node }),
      callFailures: 0,
      exit,
      exitedAt: now,
      // Its name is held until then: a start that comes through late finds it taken.
      releaseAt: later(after(now, kept), rest.startSettlesAt),
      ...(gone && { releasedAt: now }),
    },
    events: ({ task }) => [
      ...(ranUnseen ? startedEvents(task, policy, now, attempt.number, node) : []),
      ...exitedEvents(task, policy, now, attempt.number, exit),
    ],
  })
}

/** Only a program that ran has a code, but for those that could not be started. */
function ran({ code, reason }: Exit): boolean {
  return code !== undefined && reason !== 'start-failed'
}

function exitOf(attempt: Attempt, observed: ObservedExit, now: Date): Exit {
  const reason: ExitReason = observed.reason
  const { stop } = attempt
  const logTail = observed.logTail ?? stop?.logTail
  // Why it was given up tells more than that it was removed then.
  const message = (stop?.reason === reason ? stop.message : undefined) ?? observed.message
  return {
    ...observed,
    ...(message !== undefined && { message }),
    reason,
    fault: faultOf(reason),
    at: observed.at ?? now,
    ...(logTail !== undefined && { logTail }),
  }
}

/** What was given up as lost has ended after all: told to whoever looks, and nothing follows from it. */
export function lateExitRecorded(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  observed: ObservedExit,
  now: Date,
): Change {
  const lateExit = { ...observed, fault: faultOf(observed.reason), at: observed.at ?? now }
  return change(record, policy, { attempt: { ...attempt, lateExit } })
}
