import { join, padded, limited, sql, type Transaction } from './statement.ts'
import { text } from './values.ts'

/** How long a cancel's or redrive's message id is known: longer than any broker redelivers. */
const COMMANDS_KEPT_MS = 30 * 24 * 3_600_000

/** Removes what is over and told; gives the number of tasks. */
export function* purgeTasks(now: Date, limit: number): Transaction<number> {
  yield sql`DELETE FROM applied_commands WHERE id IN (
    SELECT id FROM applied_commands WHERE at < ${now.getTime() - COMMANDS_KEPT_MS}
    ORDER BY at ${limited(limit)})`

  // NOT IN, so that no planner takes the index by state and walks through all that has ended.
  const ended = sql`purge_at <= ${now.getTime()}
      AND state NOT IN ('queued', 'starting', 'running', 'exited')`
  const over = yield sql`SELECT id FROM tasks
    WHERE ${ended}
      AND NOT EXISTS (SELECT 1 FROM attempts WHERE task_id = tasks.id AND released_at IS NULL)
      AND NOT EXISTS (SELECT 1 FROM events WHERE task_id = tasks.id AND sent_at IS NULL)
    ORDER BY purge_at ${limited(limit)}`
  if (over.length === 0) return 0
  // The condition again: a redrive may have come between the two.
  const gone = yield sql`DELETE FROM tasks
    WHERE id IN (${join(padded(over.map((row) => text(row, 'id'))))}) AND ${ended}
    RETURNING definition`
  if (gone.length === 0) return 0

  const definitions = [...new Set(gone.map((row) => text(row, 'definition')))]
  yield sql`DELETE FROM definitions WHERE hash IN (${join(definitions)})
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE definition = definitions.hash)`
  return gone.length
}
