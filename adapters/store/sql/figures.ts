import type { Task } from '../../../src/core/task.ts'
import type { StoreFigures } from '../../../src/ports/task-store.ts'
import { sql, type Row, type Transaction } from './statement.ts'
import { integer, maybeTime, present, text, time } from './values.ts'

/** Each from an index of what is live. */
export function* readFigures(now: Date): Transaction<StoreFigures> {
  const tasks = yield sql`SELECT type, state, COUNT(*) AS count FROM tasks
    WHERE state IN ('queued', 'starting', 'running', 'exited') GROUP BY type, state`
  const oldest = yield sql`SELECT type, MIN(due_at) AS at FROM tasks
    WHERE state = 'queued' AND due_at <= ${now.getTime()} GROUP BY type`
  const [units] = yield sql`SELECT COUNT(*) AS count, MIN(exited_at) AS oldest FROM attempts
    WHERE state = 'exited' AND released_at IS NULL`
  const [stuck] = yield sql`SELECT COUNT(*) AS count FROM tasks WHERE stuck_since IS NOT NULL`
  const [outbox] = yield sql`SELECT COUNT(*) AS count,
    (SELECT at FROM events WHERE sent_at IS NULL ORDER BY seq LIMIT 1) AS oldest
    FROM events WHERE sent_at IS NULL`
  return {
    tasks: tasks.map((row) => ({
      type: text(row, 'type'),
      state: text(row, 'state') as Task['state'],
      count: integer(row, 'count'),
    })),
    oldestQueued: oldest.map((row) => ({ type: text(row, 'type'), dueAt: time(row, 'at') })),
    unreleasedUnits: countOf(units),
    stuck: countOf(stuck).count,
    outbox: countOf(outbox),
  }
}

function countOf(row: Row | undefined): { readonly count: number; readonly oldest?: Date } {
  if (!row) return { count: 0 }
  return present({
    count: integer(row, 'count'),
    oldest: 'oldest' in row ? maybeTime(row, 'oldest') : undefined,
  })
}
