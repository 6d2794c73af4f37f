import { withStop } from './attempts.ts'
import { change, type Change, type EventDraft } from './change.ts'
import type { Decision } from './decide.ts'
import { after, type Policy } from './dues.ts'
import { acceptedEvents, outcomeEvents, retryingEvents } from './events.ts'
import { type Exit, faultOf } from './exit.ts'
import { atPointer, type JsonObject } from './json.ts'
import {
  currentAttempt,
  isEnded,
  type Outcome,
  type StickyAttributes,
  type Task,
  type TaskRecord,
} from './task.ts'
import { asText, type TaskType } from './task-type.ts'
import { withoutTail } from './wire.ts'

/** The changes to a task as a whole, as pure functions of the record that they are made on. */

export interface Command {
  readonly messageId: string
  readonly correlationId?: string
  readonly attributes: StickyAttributes
  readonly stickyAttributes: StickyAttributes
}

/** A task as it is accepted: `queued`, in its first run. */
export function newTask(
  type: TaskType,
  wanted: {
    readonly id: string
    readonly uid: string
    readonly input: JsonObject
    readonly priority?: number
    readonly notBefore?: Date
  },
  command: Command,
  now: Date,
): { readonly task: Task; readonly events: readonly EventDraft[] } {
  const { notBefore, uid, input } = wanted
  const startsAt = notBefore !== undefined && notBefore > now ? notBefore : now
  const task: Task = {
    id: `${type.name}/${wanted.id}`,
    type: type.name,
    uid,
    revision: 1,
    definition: type.hash,
    state: 'queued',
    run: 1,
    input,
    priority: wanted.priority ?? type.priority,
    createdAt: now,
    acceptedBy: command.messageId,
    ...(command.correlationId !== undefined && { correlationId: command.correlationId }),
    stickyAttributes: command.stickyAttributes,
    ...(notBefore !== undefined && { notBefore }),
    concurrencyKey: concurrencyKey(type, input),
    dueAt: startsAt,
    ...(type.deadlineMs !== undefined && { deadlineAt: after(startsAt, type.deadlineMs) }),
    attempt: 0,
    decideFailures: 0,
  }
  return { task, events: acceptedEvents(task, type, now) }
}

/** What the type's limit counts by: the input's value at its key, as text; '' without one. */
export function concurrencyKey(type: TaskType, input: JsonObject): string {
  const pointer = type.concurrency?.key
  if (pointer === undefined) return ''
  return asText(atPointer(input, pointer) ?? null)
}

/** What a cancel comes to: a change, or that it was there already, or that it is too late. */
export type CancelResult =
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'requested' }
  | { readonly kind: 'ended'; readonly state: 'succeeded' | 'failed' | 'cancelled' }

/**
 * Recorded first, carried out by whoever watches. A task that nothing runs of is cancelled at once; an
 * exit that awaits its decision stays what it is (a success stays one), unless deciding is stuck.
 */
export function cancel(
  record: TaskRecord,
  policy: Policy,
  wish: { readonly by?: string; readonly reason?: string },
  commandId: string | undefined,
  now: Date,
): CancelResult {
  const { task } = record
  if (isEnded(task.state)) return { kind: 'ended', state: task.state }
  const attempt = currentAttempt(record)
  const idle = task.state === 'queued' || (task.state === 'exited' && task.stuck !== undefined)
  if (!idle && task.cancelRequested !== undefined) return { kind: 'requested' }
  const requested = { cancelRequested: { at: now, ...wish } }
  const command = commandId === undefined ? {} : { commandId }
  if (idle) {
    const exit = task.state === 'exited' ? attempt?.exit : undefined
    const outcome: Outcome = { state: 'cancelled', at: now, ...wish, ...(exit && { exit }) }
    return { kind: 'change', change: end(record, policy, outcome, { ...requested }, command) }
  }
  const stopping =
    attempt !== undefined && attempt.exit === undefined && attempt.stop === undefined
      ? { attempt: withStop(attempt, 'cancelled', now) }
      : {}
  return {
    kind: 'change',
    change: change(record, policy, { task: requested, ...stopping, ...command }),
  }
}

/** Failed or cancelled goes into its next run, with the present definition. */
export function redrive(
  record: TaskRecord,
  type: TaskType,
  commandId: string | undefined,
  now: Date,
): Change {
  const { deadlineMs } = type
  return change(record, type, {
    task: {
      definition: type.hash,
      state: 'queued',
      run: record.task.run + 1,
      concurrencyKey: concurrencyKey(type, record.task.input),
      dueAt: now,
      ...(deadlineMs !== undefined && { deadlineAt: after(now, deadlineMs) }),
      decideFailures: 0,
    },
    without: [
      'notBefore',
      'memoryBytes',
      'cancelRequested',
      'stuck',
      'outcome',
      'purgeAt',
      ...(deadlineMs === undefined ? (['deadlineAt'] as const) : []),
    ],
    events: ({ task }) => acceptedEvents(task, type, now),
    ...(commandId !== undefined && { commandId }),
  })
}

/** A stuck task is taken up again where it is, in the same run. */
export function unstick(record: TaskRecord, policy: Policy, commandId: string | undefined): Change {
  return change(record, policy, {
    task: { decideFailures: 0 },
    without: ['stuck'],
    ...(commandId !== undefined && { commandId }),
  })
}

export function stuck(record: TaskRecord, policy: Policy, reason: string, now: Date): Change {
  return change(record, policy, { task: { stuck: { since: now, reason } } })
}

/** Deciding has thrown: after some times the task is stuck. */
export function decideFailed(
  record: TaskRecord,
  policy: Policy,
  message: string,
  most: number,
  now: Date,
): Change {
  const decideFailures = record.task.decideFailures + 1
  const reason = `deciding about the exit has failed ${decideFailures} times: ${message}`
  return change(record, policy, {
    task: { decideFailures, ...(decideFailures >= most && { stuck: { since: now, reason } }) },
  })
}

/** `queued` → `failed`: the deadline passed with nothing running. */
export function deadlinePassed(record: TaskRecord, policy: Policy, now: Date): Change {
  const exit: Exit = { reason: 'deadline', fault: faultOf('deadline'), at: now }
  const rule = 'deadline: the time for the whole run is over'
  return end(record, policy, { state: 'failed', at: now, exit, rule })
}

/** `exited(n)` → what was decided. A wish to cancel turns a retry into a cancellation, nothing else. */
export function settle(
  record: TaskRecord,
  policy: Policy,
  decision: Decision,
  exit: Exit,
  now: Date,
): Change {
  const attempt = currentAttempt(record)
  const counted = 'counted' in decision ? decision.counted : false
  const decided = attempt === undefined ? {} : { attempt: { ...attempt, counted } }
  const wish = record.task.cancelRequested
  const cancelled: Outcome = {
    state: 'cancelled',
    at: now,
    exit,
    ...(wish?.by !== undefined && { by: wish.by }),
    ...(wish?.reason !== undefined && { reason: wish.reason }),
  }
  switch (decision.kind) {
    case 'succeed':
      return end(
        record,
        policy,
        { state: 'succeeded', at: now, exit: withoutTail(exit), rule: decision.rule },
        {},
        decided,
      )
    case 'fail':
      return end(
        record,
        policy,
        { state: 'failed', at: now, exit, rule: decision.rule },
        {},
        decided,
      )
    case 'cancel':
      return end(record, policy, cancelled, {}, decided)
    case 'retry': {
      if (wish !== undefined) return end(record, policy, cancelled, {}, decided)
      const { dueAt, rule, memoryBytes } = decision
      return change(record, policy, {
        task: {
          state: 'queued',
          dueAt,
          decideFailures: 0,
          ...(memoryBytes !== undefined && { memoryBytes }),
        },
        ...decided,
        events: ({ task }) =>
          retryingEvents(task, policy, now, { attempt: task.attempt, dueAt, rule }),
      })
    }
  }
}

/** Any state → its outcome, with the outcome's event. */
function end(
  record: TaskRecord,
  policy: Policy,
  outcome: Outcome,
  task: Partial<Task> = {},
  rest: Pick<Parameters<typeof change>[2], 'attempt' | 'commandId'> = {},
): Change {
  return change(record, policy, {
    ...rest,
    task: {
      ...task,
      state: outcome.state,
      outcome,
      purgeAt: after(outcome.at, policy.keep.outcomeMs),
    },
    without: ['dueAt', 'stuck'],
    events: (next) => outcomeEvents(next, policy),
  })
}
