import type { Change, EventDraft } from '../../../src/core/change.ts'
import { LeaseLost, Unavailable } from '../../../src/core/errors.ts'
import type { Task, TaskRecord } from '../../../src/core/task.ts'
import type { Definition } from '../../../src/core/task-type.ts'
import type { Lease } from '../../../src/ports/leadership.ts'
import type { Dialect } from './dialect.ts'
import { recordsById } from './records.ts'
import { attemptColumns, eventColumns, taskColumns } from './rows.ts'
import { assigned, inserted, insertedRows, sql, type Transaction } from './statement.ts'
import { text } from './values.ts'

/** The transactions that write tasks. */

/** Rows of one INSERT: a statement holds a bounded number of values. */
const MOST_ROWS = 100

export interface Acceptance {
  readonly accepted: boolean
  readonly record: TaskRecord
}

/** What is known is asked for first: a definition that no task has would stay for ever. */
export function* acceptTask(
  task: Task,
  definition: Definition,
  events: readonly EventDraft[],
  now: Date,
): Transaction<Acceptance> {
  const [known] = yield* recordsById([task.id])
  if (known) return { accepted: false, record: known }
  yield* insertDefinition(definition)
  const [acceptance] = yield* acceptDefined([{ task, events }], now)
  if (!acceptance) throw new Unavailable('task-purged', `task ${task.id} has just been purged`)
  return acceptance
}

/**
 * Tasks whose definitions are there. Of those with one id the first is accepted; one that was purged
 * while it was asked for has no answer.
 */
export function* acceptDefined(
  wishes: readonly { readonly task: Task; readonly events: readonly EventDraft[] }[],
  now: Date,
): Transaction<readonly (Acceptance | undefined)[]> {
  // By their ids: two that insert the same tasks in different orders would lock each other out.
  const rows = wishes
    .map(({ task }) => task)
    .toSorted((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)))
    .map((task) => ({ ...taskColumns(task, task.deadlineAt, now), revision: task.revision }))
  const added = yield sql`INSERT INTO tasks ${insertedRows(rows)}
    ON CONFLICT (id) DO NOTHING RETURNING id`
  const ids = new Set(added.map((row) => text(row, 'id')))
  const fresh = new Set(wishes.filter(({ task }) => ids.delete(task.id)))
  yield* insertEvents([...fresh].flatMap(({ events }) => events))
  const others = wishes.filter((wish) => !fresh.has(wish))
  const known = yield* recordsById(others.map(({ task }) => task.id))
  const records = new Map(known.map((record) => [record.task.id, record]))
  return wishes.map((wish) => {
    if (fresh.has(wish)) return { accepted: true, record: { task: wish.task, attempts: [] } }
    const record = records.get(wish.task.id)
    return record && { accepted: false, record }
  })
}

export function* applyChange(
  change: Change,
  now: Date,
): Transaction<'applied' | 'stale' | 'repeated'> {
  const { taskId, revision, commandId } = change
  if (commandId !== undefined && (yield* isApplied(commandId))) return 'repeated'
  const columns = taskColumns(change.task, change.wakeAt, now)
  const [changed] = yield sql`UPDATE tasks SET ${assigned(columns)}, revision = revision + 1
    WHERE id = ${taskId} AND revision = ${revision} RETURNING id`
  if (!changed) return 'stale'
  if (commandId !== undefined) {
    yield sql`INSERT INTO applied_commands (id, at) VALUES (${commandId}, ${now.getTime()})`
  }
  for (const attempt of change.attempts) {
    const { task_id, number, ...rest } = attemptColumns(taskId, attempt)
    yield sql`INSERT INTO attempts ${inserted({ task_id: task_id ?? null, number: number ?? null, ...rest })}
      ON CONFLICT (task_id, number) DO UPDATE SET ${assigned(rest)}`
  }
  yield* insertEvents(change.events)
  return 'applied'
}

export function* insertEvents(events: readonly EventDraft[]): Transaction<void> {
  for (let from = 0; from < events.length; from += MOST_ROWS) {
    const rows = events.slice(from, from + MOST_ROWS).map(eventColumns)
    yield sql`INSERT INTO events ${insertedRows(rows)} ON CONFLICT (event_id, name) DO NOTHING`
  }
}

export function* isApplied(commandId: string): Transaction<boolean> {
  const [known] = yield sql`SELECT id FROM applied_commands WHERE id = ${commandId}`
  return known !== undefined
}

/** Throws `LeaseLost` unless the lease is the newest; then it stays so until the transaction ends. */
export function* guardLease(dialect: Dialect, lease: Lease): Transaction<void> {
  if (lease.lost.aborted) throw new LeaseLost()
  const [newest] = yield dialect.leaseGuard(lease.epoch)
  if (!newest) throw new LeaseLost()
}

export function* insertDefinition({
  hash,
  name,
  directory,
  compose,
}: Definition): Transaction<void> {
  yield sql`INSERT INTO definitions (hash, name, directory, compose)
    VALUES (${hash}, ${name}, ${directory}, ${JSON.stringify(compose)})
    ON CONFLICT (hash) DO NOTHING`
}
