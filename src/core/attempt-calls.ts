import { change, type Change } from './change.ts'
import {
  after,
  callPauseMs,
  mayStillStart,
  type Policy,
  START_SETTLES_MS,
  STOP_AGAIN_MS,
} from './dues.ts'
import type { Attempt, TaskRecord } from './task.ts'

/** What a call to the scheduler changes of an attempt, as pure functions of the record that it is made on. */

/** A swarm's manager looks for its leader each second, a Nomad agent several times a second. */
const TAKEN_SETTLES_MS = 2_000

/** Written before the scheduler is asked once more. */
export function startCallBegun(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  now: Date,
  settlesMs = START_SETTLES_MS,
): Change {
  return change(record, policy, {
    attempt: { ...attempt, startCall: { begunAt: now }, startSettlesAt: after(now, settlesMs) },
  })
}

/**
 * What the tag of its image means has been found out. Written before the start is asked for, so that
 * nothing of the run has ever run another: a crash before this finds it out anew, one after it does not.
 */
export function imageResolved(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  image: string,
): Change {
  return change(record, policy, { attempt: { ...attempt, image } })
}

/**
 * The scheduler has taken the start: from here on absence is a loss. That it does shows that it decides
 * again: what waited there is through, or refused, within seconds.
 */
export function startConfirmed(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  now: Date,
): Change {
  const { startSettlesAt, ...taken } = confirmed(attempt, policy, now)
  const soon = after(now, TAKEN_SETTLES_MS)
  const settles = startSettlesAt !== undefined && {
    startSettlesAt: startSettlesAt < soon ? startSettlesAt : soon,
  }
  return change(record, policy, { attempt: { ...taken, ...settles } })
}

/** The scheduler is known to hold its unit. */
export function confirmed(attempt: Attempt, policy: Policy, now: Date): Attempt {
  if (attempt.confirmedAt !== undefined) return attempt
  const { callAgainAt: _, ...rest } = cameThrough(attempt)
  return {
    ...rest,
    startCall: { ...attempt.startCall, endedAt: now },
    confirmedAt: now,
    startDueAt: after(now, policy.startTimeoutMs),
    callFailures: 0,
  }
}

/**
 * A call to the scheduler did not get through: the row stays, the pause grows. A unit that came back
 * after its release and could not be removed is one to be released again.
 */
export function callFailed(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  call: 'start' | 'stop' | 'remove',
  now: Date,
): Change {
  const callFailures = attempt.callFailures + 1
  const { releasedAt: _, ...unreleased } = attempt
  return change(record, policy, {
    attempt: {
      ...unreleased,
      ...(call === 'start' && { startCall: { ...attempt.startCall, endedAt: now } }),
      callFailures,
      callAgainAt: after(now, callPauseMs(callFailures)),
    },
  })
}

/**
 * The start call that began then was answered, or came to nothing before it was made: nothing comes of it
 * any more, of those before it until `earlier`. As it is where it was asked again since, or the clock set.
 */
export function startAnswered(attempt: Attempt, begunAt: Date, earlier: Date | undefined): Attempt {
  if (attempt.startCall.begunAt.getTime() !== begunAt.getTime()) return attempt
  const { startSettlesAt: _, ...rest } = attempt
  return earlier === undefined ? rest : { ...rest, startSettlesAt: earlier }
}

/** Its unit was seen: where it was asked for once only, that is what came of it, and nothing else will. */
export function cameThrough(attempt: Attempt): Attempt {
  const { startSettlesAt: _, ...settled } = attempt
  return isAskedAgain(attempt) ? attempt : settled
}

/** Whether its start has been asked for more than once. Also where the clock was set meanwhile. */
export function isAskedAgain({ startCall, createdAt }: Attempt): boolean {
  return startCall.begunAt.getTime() !== createdAt.getTime()
}

/**
 * The scheduler refuses the start. While a call before it may still come through, that is not the end: it
 * is asked for once more when none can.
 */
export function startRefused(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  now: Date,
): Change {
  const { callAgainAt: _, ...rest } = attempt
  const startCall = { ...attempt.startCall, endedAt: now }
  // Of what is refused for good a removal follows: where that fails, its pauses grow.
  const again = mayStillStart(attempt, now) && {
    callAgainAt: attempt.startSettlesAt,
    callFailures: 0,
  }
  return change(record, policy, { attempt: { ...rest, ...again, startCall } })
}

/** The scheduler answers again: a call that failed is made at once. Undefined: none has. */
export function calledAgain(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
): Change | undefined {
  const { callAgainAt: _, ...unpaused } = attempt
  if (attempt.callFailures === 0) return undefined
  return change(record, policy, { attempt: unpaused })
}

/** A list was asked for: its answer is awaited before asking again. */
export function looked(record: TaskRecord, attempt: Attempt, policy: Policy, now: Date): Change {
  return change(record, policy, { attempt: { ...attempt, lookAgainAt: after(now, 10_000) } })
}

/**
 * The scheduler has taken the stop. The first time stays: a list begun after it that lacks the unit is
 * the end, however often the stop is repeated.
 */
export function stopCalled(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  now: Date,
  logTail?: string,
): Change | undefined {
  if (attempt.stop === undefined) return undefined
  const { callAgainAt: _, ...rest } = attempt
  const { calledAt } = attempt.stop
  const stop = {
    ...attempt.stop,
    calledAt: calledAt ?? now,
    ...(logTail !== undefined && { logTail }),
  }
  const again = calledAt === undefined ? {} : { callAgainAt: after(now, STOP_AGAIN_MS) }
  return change(record, policy, { attempt: { ...rest, ...again, stop, callFailures: 0 } })
}

/** The unit of an attempt that is over is confirmed gone. */
export function released(record: TaskRecord, attempt: Attempt, policy: Policy, now: Date): Change {
  const { callAgainAt: _, ...rest } = attempt
  return change(record, policy, { attempt: { ...rest, callFailures: 0, releasedAt: now } })
}
