import type { EventDraft } from './change.ts'
import type { Exit } from './exit.ts'
import type { JsonObject } from './json.ts'
import type { ErrorDetail, EventBody, EventName } from './messages.ts'
import type { StickyAttributes, Task, TaskRecord } from './task.ts'
import { attemptsOfRun } from './task.ts'
import type { TaskEventKind, TaskType } from './task-type.ts'
import { toWireExit, toWireTask, type WireAttempt, withoutTail } from './wire.ts'

/**
 * The events of a task's transitions. An event's id is made of what it tells of (`uid`, run, attempt,
 * kind), so that the same transition written twice is the same event.
 */
type Fields<Kind extends TaskEventKind> = Omit<
  EventBody<`longhaul/task-${Kind}`>,
  'eventId' | 'at' | 'run' | 'taskId' | 'taskType' | 'repeatOf'
>

/** The longhaul event and, where the type names one of its own, that one too, with the input in it. */
function taskEvent<Kind extends TaskEventKind>(
  task: Task,
  type: Pick<TaskType, 'eventNames'>,
  kind: Kind,
  at: Date,
  fields: Fields<Kind>,
): EventDraft[] {
  const attempt = 'attempt' in fields ? `.${String(fields.attempt)}` : ''
  const eventId = `${task.uid}.${task.run}${attempt}.${kind}`
  const name: EventName = `longhaul/task-${kind}`
  const body = {
    eventId,
    taskId: task.id,
    taskType: task.type,
    run: task.run,
    at: at.toISOString(),
    ...fields,
  }
  const draft = (eventName: string, extra: JsonObject): EventDraft => ({
    eventId,
    name: eventName,
    taskId: task.id,
    taskType: task.type,
    at,
    message: { $name: eventName, $version: 1, ...(body as unknown as JsonObject), ...extra },
    ...(task.correlationId !== undefined && { correlationId: task.correlationId }),
    attributes: {},
    stickyAttributes: task.stickyAttributes,
  })
  const own = type.eventNames[kind]
  return own === undefined
    ? [draft(name, {})]
    : [draft(name, {}), draft(own, { input: task.input })]
}

type Of = Pick<TaskType, 'eventNames'>

export const acceptedEvents = (task: Task, type: Of, at: Date): EventDraft[] =>
  taskEvent(task, type, 'accepted', at, {})

export const startedEvents = (
  task: Task,
  type: Of,
  at: Date,
  attempt: number,
  node?: string,
): EventDraft[] =>
  taskEvent(task, type, 'started', at, { attempt, ...(node !== undefined && { node }) })

export const exitedEvents = (
  task: Task,
  type: Of,
  at: Date,
  attempt: number,
  exit: Exit,
): EventDraft[] => {
  const told = exit.reason === 'completed' ? withoutTail(exit) : exit
  return taskEvent(task, type, 'exited', at, { attempt, exit: toWireExit(told) })
}

export const retryingEvents = (
  task: Task,
  type: Of,
  at: Date,
  fields: { readonly attempt: number; readonly dueAt: Date; readonly rule: string },
): EventDraft[] =>
  taskEvent(task, type, 'retrying', at, { ...fields, dueAt: fields.dueAt.toISOString() })

/** The event of an outcome: `record` already bears it. */
export function outcomeEvents(record: TaskRecord, type: Of): EventDraft[] {
  const { task } = record
  const { outcome } = task
  if (outcome === undefined) return []
  switch (outcome.state) {
    case 'succeeded':
      return taskEvent(task, type, 'succeeded', outcome.at, {
        attempts: wireAttemptsOfRun(record).map(({ exit, ...attempt }) => ({
          ...attempt,
          ...(exit && { exit: withoutTail(exit) }),
        })),
      })
    case 'failed':
      return taskEvent(task, type, 'failed', outcome.at, {
        exit: toWireExit(outcome.exit),
        attempts: wireAttemptsOfRun(record),
        rule: outcome.rule,
      })
    case 'cancelled': {
      const { at, by, reason } = outcome
      return taskEvent(task, type, 'cancelled', at, {
        ...(by !== undefined && { by }),
        ...(reason !== undefined && { reason }),
      })
    }
  }
}

function wireAttemptsOfRun(record: TaskRecord): WireAttempt[] {
  return toWireTask({ task: record.task, attempts: attemptsOfRun(record) }).attempts
}

/** What a refused command's sender is told. `commandId` is the command's message id. */
export function rejectedEvent(rejection: {
  /** Its own: a command that is rejected anew for another reason is told so anew. */
  readonly eventId: string
  readonly commandId: string
  readonly errors: readonly ErrorDetail[]
  readonly at: Date
  readonly run: number
  readonly correlationId?: string
  readonly stickyAttributes: StickyAttributes
}): EventDraft {
  const { eventId, commandId, errors, at, run, correlationId, stickyAttributes } = rejection
  const body: EventBody<'longhaul/task-rejected'> = {
    eventId,
    at: at.toISOString(),
    run,
    commandId,
    errors: [...errors],
  }
  return {
    eventId,
    name: 'longhaul/task-rejected',
    at,
    message: {
      $name: 'longhaul/task-rejected',
      $version: 1,
      ...(body as unknown as JsonObject),
    },
    ...(correlationId !== undefined && { correlationId }),
    attributes: {},
    stickyAttributes,
  }
}
