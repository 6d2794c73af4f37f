import type { Attempt, TaskRecord } from '../../../src/core/task.ts'
import { attemptOf, taskOf } from './rows.ts'
import { join, padded, sql, type Row, type Statement, type Transaction } from './statement.ts'
import { text } from './values.ts'

/** The records of a query over `tasks` that gives their ids, in its order. */
export function* recordsOf(query: Statement): Transaction<readonly TaskRecord[]> {
  const rows = yield query
  return yield* recordsById(rows.map((row) => text(row, 'id')))
}

export function* recordsById(ids: readonly string[]): Transaction<readonly TaskRecord[]> {
  if (ids.length === 0) return []
  const wanted = join(padded(ids))
  const tasks = yield sql`SELECT * FROM tasks WHERE id IN (${wanted})`
  if (tasks.length === 0) return []
  const attempts =
    yield sql`SELECT * FROM attempts WHERE task_id IN (${wanted}) ORDER BY task_id, number`
  const attemptsOf = groupAttempts(attempts)
  const records = new Map(
    tasks.map((row) => [
      text(row, 'id'),
      { task: taskOf(row), attempts: attemptsOf.get(text(row, 'id')) ?? [] },
    ]),
  )
  return ids.flatMap((id) => records.get(id) ?? [])
}

function groupAttempts(rows: readonly Row[]): ReadonlyMap<string, readonly Attempt[]> {
  const groups = new Map<string, Attempt[]>()
  for (const row of rows) {
    const taskId = text(row, 'task_id')
    const group = groups.get(taskId)
    if (group) group.push(attemptOf(row))
    else groups.set(taskId, [attemptOf(row)])
  }
  return groups
}
