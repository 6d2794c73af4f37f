import { startRank } from '../../../src/core/admit.ts'
import type { EventDraft } from '../../../src/core/change.ts'
import type { Exit } from '../../../src/core/exit.ts'
import type {
  Attempt,
  CancelRequest,
  Outcome,
  StickyAttributes,
  Stop,
  Stuck,
  Task,
} from '../../../src/core/task.ts'
import type { LoggedEvent } from '../../../src/ports/event-log.ts'
import type { Columns, Row } from './statement.ts'
import {
  integer,
  json,
  maybeInteger,
  maybeRecord,
  maybeText,
  maybeTime,
  present,
  stored,
  text,
  time,
} from './values.ts'

/**
 * A task's columns. `ready`, `start_rank` and `start_group` place it in the queue and are null outside
 * it: `ready` is 1 once its due time has been seen to have come, and 0 before (see startable.ts).
 */
export function taskColumns(
  task: Omit<Task, 'revision'>,
  wakeAt: Date | undefined,
  now: Date,
): Columns {
  const queuedFor = task.state === 'queued' && !task.stuck ? task.dueAt : undefined
  return {
    id: task.id,
    uid: task.uid,
    type: task.type,
    definition: task.definition,
    state: task.state,
    run: task.run,
    attempt: task.attempt,
    input: stored(task.input),
    priority: task.priority,
    created_at: stored(task.createdAt),
    accepted_by: task.acceptedBy,
    correlation_id: stored(task.correlationId),
    sticky_attributes: stored(task.stickyAttributes),
    not_before: stored(task.notBefore),
    concurrency_key: task.concurrencyKey,
    due_at: stored(task.dueAt),
    deadline_at: stored(task.deadlineAt),
    memory_bytes: stored(task.memoryBytes),
    cancel_requested: stored(task.cancelRequested),
    stuck_since: stored(task.stuck?.since),
    stuck_reason: stored(task.stuck?.reason),
    decide_failures: task.decideFailures,
    outcome: stored(task.outcome),
    purge_at: stored(task.purgeAt),
    wake_at: stored(wakeAt),
    ready: queuedFor ? stored(queuedFor <= now) : null,
    start_rank: queuedFor ? startRank(task.priority, queuedFor) : null,
    start_group: queuedFor ? startGroup(task.type, task.concurrencyKey) : null,
  }
}

/** A type's name has no slash in it, so no two groups share a name. */
export function startGroup(type: string, key: string): string {
  return `${type}/${key}`
}

export function taskOf(row: Row): Task {
  const since = maybeTime(row, 'stuck_since')
  const stuck: Stuck | undefined = since && { since, reason: text(row, 'stuck_reason') }
  return present({
    id: text(row, 'id'),
    type: text(row, 'type'),
    uid: text(row, 'uid'),
    revision: integer(row, 'revision'),
    definition: text(row, 'definition'),
    state: text(row, 'state') as Task['state'],
    run: integer(row, 'run'),
    input: json(row, 'input') as Task['input'],
    priority: integer(row, 'priority'),
    createdAt: time(row, 'created_at'),
    acceptedBy: text(row, 'accepted_by'),
    correlationId: maybeText(row, 'correlation_id'),
    stickyAttributes: json(row, 'sticky_attributes') as StickyAttributes,
    notBefore: maybeTime(row, 'not_before'),
    concurrencyKey: text(row, 'concurrency_key'),
    dueAt: maybeTime(row, 'due_at'),
    deadlineAt: maybeTime(row, 'deadline_at'),
    attempt: integer(row, 'attempt'),
    memoryBytes: maybeInteger(row, 'memory_bytes'),
    cancelRequested: maybeRecord(row, 'cancel_requested') as CancelRequest | undefined,
    stuck,
    decideFailures: integer(row, 'decide_failures'),
    outcome: maybeRecord(row, 'outcome') as Outcome | undefined,
    purgeAt: maybeTime(row, 'purge_at'),
  })
}

export function attemptColumns(taskId: string, attempt: Attempt): Columns {
  return {
    task_id: taskId,
    number: attempt.number,
    run: attempt.run,
    unit: attempt.unit,
    state: attempt.state,
    created_at: stored(attempt.createdAt),
    start_begun_at: stored(attempt.startCall.begunAt),
    start_ended_at: stored(attempt.startCall.endedAt),
    start_settles_at: stored(attempt.startSettlesAt),
    confirmed_at: stored(attempt.confirmedAt),
    start_due_at: stored(attempt.startDueAt),
    started_at: stored(attempt.startedAt),
    attempt_due_at: stored(attempt.attemptDueAt),
    node: stored(attempt.node),
    image: stored(attempt.image),
    unreachable_since: stored(attempt.unreachableSince),
    missing_since: stored(attempt.missingSince),
    stop: stored(attempt.stop),
    call_failures: attempt.callFailures,
    call_again_at: stored(attempt.callAgainAt),
    look_again_at: stored(attempt.lookAgainAt),
    exited_at: stored(attempt.exitedAt),
    exit: stored(attempt.exit),
    late_exit: stored(attempt.lateExit),
    counted: stored(attempt.counted),
    release_at: stored(attempt.releaseAt),
    released_at: stored(attempt.releasedAt),
  }
}

export function attemptOf(row: Row): Attempt {
  const counted = maybeInteger(row, 'counted')
  return present({
    number: integer(row, 'number'),
    run: integer(row, 'run'),
    unit: text(row, 'unit'),
    state: text(row, 'state') as Attempt['state'],
    createdAt: time(row, 'created_at'),
    startCall: present({
      begunAt: time(row, 'start_begun_at'),
      endedAt: maybeTime(row, 'start_ended_at'),
    }),
    startSettlesAt: maybeTime(row, 'start_settles_at'),
    confirmedAt: maybeTime(row, 'confirmed_at'),
    startDueAt: maybeTime(row, 'start_due_at'),
    startedAt: maybeTime(row, 'started_at'),
    attemptDueAt: maybeTime(row, 'attempt_due_at'),
    node: maybeText(row, 'node'),
    image: maybeText(row, 'image'),
    unreachableSince: maybeTime(row, 'unreachable_since'),
    missingSince: maybeTime(row, 'missing_since'),
    stop: maybeRecord(row, 'stop') as Stop | undefined,
    callFailures: integer(row, 'call_failures'),
    callAgainAt: maybeTime(row, 'call_again_at'),
    lookAgainAt: maybeTime(row, 'look_again_at'),
    exit: maybeRecord(row, 'exit') as Exit | undefined,
    lateExit: maybeRecord(row, 'late_exit') as Exit | undefined,
    exitedAt: maybeTime(row, 'exited_at'),
    counted: counted === undefined ? undefined : counted === 1,
    releaseAt: maybeTime(row, 'release_at'),
    releasedAt: maybeTime(row, 'released_at'),
  })
}

export function eventColumns(event: EventDraft): Columns {
  return {
    event_id: event.eventId,
    name: event.name,
    task_id: stored(event.taskId),
    task_type: stored(event.taskType),
    at: stored(event.at),
    message: stored(event.message),
    correlation_id: stored(event.correlationId),
    attributes: stored(event.attributes),
    sticky_attributes: stored(event.stickyAttributes),
  }
}

export function eventOf(row: Row): LoggedEvent {
  return present({
    seq: String(integer(row, 'seq')),
    eventId: text(row, 'event_id'),
    name: text(row, 'name'),
    taskId: maybeText(row, 'task_id'),
    taskType: maybeText(row, 'task_type'),
    at: time(row, 'at'),
    message: json(row, 'message') as LoggedEvent['message'],
    correlationId: maybeText(row, 'correlation_id'),
    attributes: json(row, 'attributes') as StickyAttributes,
    stickyAttributes: json(row, 'sticky_attributes') as StickyAttributes,
  })
}
