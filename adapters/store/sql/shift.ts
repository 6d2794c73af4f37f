import { sql, type Transaction } from './statement.ts'
import { integer, text } from './values.ts'

/** A jump is noticed within this: what was reckoned since then may be of the new time already. */
const NOTICED_WITHIN_MS = 60_000

/**
 * Moves what was reckoned by a wall clock that has since jumped by `ms`; `now` is the new time.
 * Revisions are raised with it: a change computed from the old dues must not bring them back. A start
 * that `notBefore` set and a deadline stay.
 *
 * A live attempt is looked at again after as much time as before, or at the deadline. When exactly, the
 * engine says at its next change; where a clock was set back, everything else is looked at early rather
 * than that much too late.
 */
export function* shiftDues(ms: number, now: number): Transaction<void> {
  yield* shiftQueue(ms, now)
  yield sql`UPDATE attempts SET
      start_begun_at = start_begun_at + ${ms}, start_ended_at = start_ended_at + ${ms},
      start_settles_at = start_settles_at + ${ms}, confirmed_at = confirmed_at + ${ms},
      start_due_at = start_due_at + ${ms}, attempt_due_at = attempt_due_at + ${ms},
      unreachable_since = unreachable_since + ${ms}, missing_since = missing_since + ${ms},
      call_again_at = call_again_at + ${ms}, look_again_at = look_again_at + ${ms}
    WHERE state <> 'exited'`
  yield* shiftStops(ms)
  yield sql`UPDATE tasks SET revision = revision + 1,
      wake_at = CASE WHEN wake_at + ${ms} > deadline_at THEN deadline_at ELSE wake_at + ${ms} END
    WHERE state IN ('starting', 'running')`

  if (ms >= 0) return
  yield sql`UPDATE attempts SET call_again_at = call_again_at + ${ms},
      start_settles_at = start_settles_at + ${ms}, exited_at = exited_at + ${ms}, release_at = release_at + ${ms}
    WHERE state = 'exited' AND released_at IS NULL`
  // Undecided, with its unit gone already.
  yield sql`UPDATE attempts SET exited_at = exited_at + ${ms}
    WHERE state = 'exited' AND released_at IS NOT NULL
      AND task_id IN (SELECT id FROM tasks WHERE state = 'exited')`
  yield sql`UPDATE tasks SET revision = revision + 1, wake_at = wake_at + ${ms}
    WHERE wake_at IS NOT NULL AND state NOT IN ('starting', 'running', 'queued')`
  yield sql`UPDATE messages SET due_at = due_at + ${ms} WHERE buried_at IS NULL AND due_at > ${now}`
}

/**
 * A first start is due from its acceptance on: a clock set forward leaves it due, one set back must
 * bring it along. A backoff runs from the latest exit. What was accepted or decided after the jump is
 * reckoned by the new time and stays.
 */
function* shiftQueue(ms: number, now: number): Transaction<void> {
  const latestExit = sql`(SELECT exited_at FROM attempts
    WHERE task_id = tasks.id AND number = tasks.attempt AND run = tasks.run)`
  const reckonedBefore =
    ms >= 0
      ? sql`${latestExit} <= ${now - ms}`
      : sql`COALESCE(${latestExit} NOT BETWEEN ${now - NOTICED_WITHIN_MS} AND ${now}, due_at > ${now})`
  yield sql`UPDATE tasks SET
      due_at = due_at + ${ms}, start_rank = start_rank + ${ms}, revision = revision + 1,
      ready = CASE WHEN stuck_since IS NULL THEN 0 END
    WHERE state = 'queued' AND due_at IS NOT NULL AND (not_before IS NULL OR due_at <> not_before)
      AND ${reckonedBefore}`
}

/** Few: only attempts that are being stopped. */
function* shiftStops(ms: number): Transaction<void> {
  const rows = yield sql`SELECT task_id, number, stop FROM attempts
    WHERE state <> 'exited' AND stop IS NOT NULL`
  for (const row of rows) {
    const stop = JSON.parse(text(row, 'stop')) as Record<string, unknown>
    for (const key of ['at', 'calledAt']) {
      const time = stop[key]
      if (typeof time === 'string') stop[key] = new Date(Date.parse(time) + ms).toISOString()
    }
    yield sql`UPDATE attempts SET stop = ${JSON.stringify(stop)}
      WHERE task_id = ${text(row, 'task_id')} AND number = ${integer(row, 'number')}`
  }
}
