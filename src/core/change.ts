import { type Policy, wakeAt } from './dues.ts'
import type { JsonObject } from './json.ts'
import type { Attempt, StickyAttributes, Task, TaskRecord } from './task.ts'

/**
 * One guarded transition: made whole, with its events, in one transaction, and only if the task still
 * has the revision that it was computed from.
 */
export interface Change {
  readonly taskId: string
  /** The revision it was computed from; the store raises it by one. */
  readonly revision: number
  readonly task: Omit<Task, 'revision'>
  /** The attempts that are new or differ. */
  readonly attempts: readonly Attempt[]
  readonly events: readonly EventDraft[]
  /** When the reconciler must look at the task again; absent: nothing is left to do. */
  readonly wakeAt?: Date
  /** The cancel's or redrive's message id: its effect happens once. */
  readonly commandId?: string
}

/** An event as it goes into the outbox. `(eventId, name)` is unique: writing it again adds nothing. */
export interface EventDraft {
  readonly eventId: string
  readonly name: string
  /** Absent on `task-rejected`: there is no task. */
  readonly taskId?: string
  readonly taskType?: string
  readonly at: Date
  /** The whole message, `$name` and `$version` included. */
  readonly message: JsonObject
  readonly correlationId?: string
  readonly attributes: StickyAttributes
  readonly stickyAttributes: StickyAttributes
}

/** Replaces the task's fields and one attempt, and says when to look again. */
export function change(
  record: TaskRecord,
  policy: Policy,
  with_: {
    readonly task?: Partial<Task>
    /** Fields to take away from the task. */
    readonly without?: readonly (keyof Task)[]
    readonly attempt?: Attempt
    readonly events?: (next: TaskRecord) => readonly EventDraft[]
    readonly commandId?: string
  },
): Change {
  const task = { ...record.task, ...with_.task }
  for (const field of with_.without ?? []) Reflect.deleteProperty(task, field)
  const { attempt } = with_
  const others = record.attempts.filter(({ number }) => number !== attempt?.number)
  const attempts = attempt === undefined ? others : [...others, attempt]
  const next = { task, attempts: attempts.toSorted((a, b) => a.number - b.number) }
  const wake = wakeAt(next, policy)
  return {
    taskId: record.task.id,
    revision: record.task.revision,
    task,
    attempts: attempt === undefined ? [] : [attempt],
    events: with_.events?.(next) ?? [],
    ...(wake !== undefined && { wakeAt: wake }),
    ...(with_.commandId !== undefined && { commandId: with_.commandId }),
  }
}
