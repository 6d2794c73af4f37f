import * as attempts from './attempts.ts'
import type { Change } from './change.ts'
import { dues, LOST_AFTER_MS, mayStillStart, type Policy, unreachableUntil } from './dues.ts'
import type { ExitReason, ObservedExit } from './exit.ts'
import { deadlinePassed, stuck } from './lifecycle.ts'
import { type Attempt, currentAttempt, type Stop, type TaskRecord } from './task.ts'
import type { Absence, Observation } from './unit.ts'

/**
 * What is to be done next about a task. The reconciler does it, loads the task again and asks again,
 * until there is nothing left.
 */
export type Action =
  | { readonly kind: 'none' }
  /** Write it. */
  | { readonly kind: 'change'; readonly change: Change }
  /** Ask the scheduler; the call's outcome is a change of its own. */
  | { readonly kind: 'start' | 'stop'; readonly attempt: Attempt }
  /** Remove the unit, and when it is certainly gone, record that the attempt ended with `exit`. */
  | { readonly kind: 'fence'; readonly attempt: Attempt; readonly exit: ObservedExit }
  /** Remove a unit whose attempt is over. `late`: it should not have been there any more. */
  | { readonly kind: 'release'; readonly attempt: Attempt; readonly late: boolean }
  /** Write down how an attempt ended that had been given up as lost. */
  | { readonly kind: 'record-late'; readonly attempt: Attempt; readonly exit: ObservedExit }
  /** Have the scheduler's list read soon. */
  | { readonly kind: 'look'; readonly attempt: Attempt }
  /** The exit has waited too long for the workflow: decide here. */
  | { readonly kind: 'decide' }

/** A unit as seen, or not seen; `listedAt` where a list begun then showed it. */
export type Sighting =
  | { readonly observation: Observation; readonly listedAt?: Date }
  | { readonly unit: string; readonly absence: Absence }

const NONE: Action = { kind: 'none' }

/**
 * Level-triggered: what is to be done follows from the record, the time and what was last seen, not
 * from what happened in between. A sighting comes first; without one, or when it says nothing new, what
 * is due is done. `lastSeen`: the latest sight of a unit that waits to run, which is in no row.
 */
export function reconcile(
  record: TaskRecord,
  policy: Policy,
  sighting: Sighting | undefined,
  now: Date,
  leadingSince?: Date,
  lastSeen?: Observation,
): Action {
  const seen = sighting === undefined ? NONE : fromSighting(record, policy, sighting, now)
  return seen.kind === 'none' ? fromDues(record, policy, now, leadingSince, lastSeen) : seen
}

function fromSighting(record: TaskRecord, policy: Policy, sighting: Sighting, now: Date): Action {
  if ('absence' in sighting) {
    const attempt = record.attempts.find(({ unit }) => unit === sighting.unit)
    if (attempt === undefined || attempt.exit !== undefined) return NONE
    return whenAbsent(record, attempt, policy, sighting.absence.listedAt, now)
  }
  const { observation, listedAt } = sighting
  const { task } = record
  const { attempt: number, taskUid } = observation.identity
  if (taskUid !== task.uid) return NONE
  if (number > task.attempt) {
    if (task.stuck !== undefined) return NONE
    const reason =
      `the scheduler holds attempt ${number} (unit ${observation.unit}), but the store knows only ` +
      `${task.attempt}: was the store restored from a backup? Remove the unit, then redrive the task`
    return { kind: 'change', change: stuck(record, policy, reason, now) }
  }
  const attempt = record.attempts.find((candidate) => candidate.number === number)
  if (attempt === undefined) return NONE
  if (attempt.exit !== undefined) return whenOver(attempt, observation, listedAt, now)
  return whenSeen(record, attempt, policy, { observation, listedAt }, now)
}

/** A list begun after the end that still shows it alive: a copy that came back. */
function whenOver(
  attempt: Attempt,
  observation: Observation,
  listedAt: Date | undefined,
  now: Date,
): Action {
  if (observation.phase === 'exited' && isLate(attempt, observation.exit)) {
    return { kind: 'record-late', attempt, exit: observation.exit }
  }
  const { phase } = observation
  const over = attempt.releasedAt ?? attempt.exitedAt
  if (listedAt === undefined || over === undefined || listedAt <= over) return NONE
  if (pausing(attempt, now)) return NONE
  const alive = phase === 'pending' || phase === 'running'
  if (alive) return { kind: 'release', attempt, late: true }
  return attempt.releasedAt === undefined || phase === 'unreachable'
    ? NONE
    : { kind: 'release', attempt, late: false }
}

function whenSeen(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  {
    observation,
    listedAt,
  }: { readonly observation: Observation; readonly listedAt: Date | undefined },
  now: Date,
): Action {
  const { node, phase } = observation
  if ((phase === 'pending' || phase === 'unreachable') && isStartOver(attempt, listedAt)) {
    const { reason, message } = givenUp(attempt, 'start-timeout', observation)
    return asAction(attempts.stopRequested(record, attempt, policy, reason, now, message))
  }
  switch (observation.phase) {
    case 'exited': {
      const exit = attributed(attempt, observation.exit, observation.stopped)
      return asAction(attempts.exitRecorded(record, attempt, policy, exit, now, { node }))
    }
    case 'removed': {
      // The scheduler may still hold what is left of it: it is released like any other.
      const reason = attempt.stop?.reason ?? 'removed'
      const { message } = observation
      const exit: ObservedExit = { reason, ...(message !== undefined && { message }) }
      return asAction(attempts.exitRecorded(record, attempt, policy, exit, now))
    }
    case 'pending':
      // Held, but perhaps only half: a start that was cut off is asked for again, which is idempotent.
      if (attempt.confirmedAt === undefined) return NONE
      return asAction(attempts.seenAlive(record, attempt, policy, 'pending', node, now))
    case 'running':
      return asAction(attempts.seenAlive(record, attempt, policy, 'running', node, now))
    case 'unreachable': {
      const until = unreachableUntil(attempt, policy)
      if (until === undefined || listedAt === undefined || listedAt < until) {
        return asAction(attempts.seenUnreachable(record, attempt, policy, now))
      }
      return fence(attempt, nodeLost(attempt), now)
    }
  }
}

/** A list begun after its time to start shows that it has not. */
function isStartOver({ state, stop, startDueAt }: Attempt, listedAt: Date | undefined): boolean {
  if (state !== 'starting' || stop !== undefined) return false
  return startDueAt !== undefined && listedAt !== undefined && listedAt >= startDueAt
}

/**
 * An end that our own stop brought about bears the stop's reason. A program that was faster than the
 * stop keeps its own: a recorded success stays one.
 */
function attributed(attempt: Attempt, exit: ObservedExit, stopped: boolean): ObservedExit {
  const { stop } = attempt
  if (stop === undefined) return exit
  const ours = stopped || (stop.calledAt !== undefined && exit.reason !== 'completed')
  return ours ? { ...exit, reason: stop.reason } : exit
}

function whenAbsent(
  record: TaskRecord,
  attempt: Attempt,
  policy: Policy,
  listedAt: Date,
  now: Date,
): Action {
  const { stop, confirmedAt, missingSince } = attempt
  if (stop !== undefined) {
    const called = stop.calledAt !== undefined && listedAt > stop.calledAt
    // A daemon of the release before may have stopped it sooner.
    if (!called || mayStillStart(attempt, listedAt)) return NONE
    const exit = { reason: stop.reason }
    return asAction(attempts.exitRecorded(record, attempt, policy, exit, now, { gone: true }))
  }
  // Absence before a confirmed start means start again, and that is due anyway.
  if (confirmedAt === undefined || listedAt <= confirmedAt) return NONE
  if (missingSince === undefined) {
    return asAction(attempts.seenMissing(record, attempt, policy, listedAt))
  }
  if (listedAt.getTime() < missingSince.getTime() + LOST_AFTER_MS) return NONE
  return fence(attempt, lost(attempt), now)
}

/** Not while a start may still come through: it would make the unit anew that has just been removed. */
function fence(attempt: Attempt, exit: ObservedExit, now: Date): Action {
  return pausing(attempt, now) || mayStillStart(attempt, now)
    ? NONE
    : { kind: 'fence', attempt, exit }
}

/**
 * The first word of how it ended that is more than that it is lost. That it was removed is none where no
 * code stands beside it: the fencing did that, and whoever lists may have missed how it had ended.
 */
function isLate({ exit, lateExit }: Attempt, { reason, code }: ObservedExit): boolean {
  if (exit === undefined || !isLoss(exit.reason) || lateExit !== undefined) return false
  return !isLoss(reason) && (reason !== 'removed' || code !== undefined)
}

function isLoss(reason: ExitReason): boolean {
  return reason === 'node-lost' || reason === 'lost'
}

/** A call has just failed: what was seen does not make it come through any sooner. */
function pausing({ callFailures, callAgainAt }: Attempt, now: Date): boolean {
  return callFailures > 0 && callAgainAt !== undefined && callAgainAt > now
}

function lost({ unit }: Attempt): ObservedExit {
  return { reason: 'lost', message: `the scheduler does not know the unit ${unit} any more` }
}

function nodeLost({ stop, node, unreachableSince }: Attempt): ObservedExit {
  const since = unreachableSince?.toISOString() ?? ''
  const message = `node ${node ?? '(unknown)'} has not answered since ${since}`
  return { reason: stop?.reason ?? 'node-lost', message }
}

function fromDues(
  record: TaskRecord,
  policy: Policy,
  now: Date,
  leadingSince: Date | undefined,
  lastSeen: Observation | undefined,
): Action {
  const due = dues(record, policy, leadingSince)
    .filter(({ at }) => at <= now)
    .toSorted((a, b) => a.at.getTime() - b.at.getTime())[0]
  if (due === undefined) return NONE
  const { what, attempt } = due
  if (what === 'deadline' && attempt === undefined) {
    return asAction(deadlinePassed(record, policy, now))
  }
  if (attempt === undefined) return NONE
  switch (what) {
    case 'deadline':
    case 'attempt-timeout': {
      const { reason, message } = givenUp(attempt, what, lastSeen)
      return asAction(attempts.stopRequested(record, attempt, policy, reason, now, message))
    }
    case 'start':
    case 'stop':
    case 'look':
      return { kind: what, attempt }
    case 'release':
      return { kind: 'release', attempt, late: false }
    case 'decide':
      return currentAttempt(record)?.exit === undefined ? NONE : { kind: 'decide' }
  }
}

/** With the scheduler's own word on what the attempt was waiting for, where it was waiting. */
function givenUp(
  attempt: Attempt,
  due: 'deadline' | 'attempt-timeout' | 'start-timeout',
  lastSeen: Observation | undefined,
): Pick<Stop, 'reason' | 'message'> {
  const waits = attempt.state === 'starting' && lastSeen?.unit === attempt.unit
  if (!waits || lastSeen.phase !== 'pending') return { reason: due }
  const { message, unplaced } = lastSeen
  const reason = due === 'start-timeout' && unplaced === true ? 'unschedulable' : due
  return { reason, ...(message !== undefined && { message }) }
}

function asAction(change: Change | undefined): Action {
  return change === undefined ? NONE : { kind: 'change', change }
}
