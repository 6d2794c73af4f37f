import { sql, type Transaction } from './statement.ts'

/**
 * Moves what was reckoned by a wall clock that has since jumped by `ms`. Revisions are raised with it:
 * a change computed from the old dues must not bring them back. A start that `notBefore` set stays.
 *
 * A live attempt is looked at again after as much time as before, or at the deadline, which stays. When
 * exactly, the engine says at its next change; where a clock was set back, everything else is looked
 * at early rather than that much too late.
 */
export function* shiftDues(ms: number): Transaction<void> {
  yield sql`UPDATE tasks SET
      due_at = due_at + ${ms}, start_rank = start_rank + ${ms}, revision = revision + 1,
      ready = CASE WHEN stuck_since IS NULL THEN 0 END
    WHERE state = 'queued' AND due_at IS NOT NULL AND (not_before IS NULL OR due_at <> not_before)`
  yield sql`UPDATE attempts SET
      start_due_at = start_due_at + ${ms}, attempt_due_at = attempt_due_at + ${ms},
      unreachable_since = unreachable_since + ${ms}, missing_since = missing_since + ${ms},
      call_again_at = call_again_at + ${ms}
    WHERE state <> 'exited'`
  yield sql`UPDATE tasks SET revision = revision + 1,
      wake_at = CASE WHEN wake_at + ${ms} > deadline_at THEN deadline_at ELSE wake_at + ${ms} END
    WHERE state IN ('starting', 'running')`

  if (ms >= 0) return
  yield sql`UPDATE attempts SET call_again_at = call_again_at + ${ms}
    WHERE state = 'exited' AND released_at IS NULL`
  yield sql`UPDATE tasks SET wake_at = wake_at + ${ms}
    WHERE wake_at IS NOT NULL AND state NOT IN ('starting', 'running')`
}
