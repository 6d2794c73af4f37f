import type { TaskRecord } from '../../../src/core/task.ts'
import type { Group } from '../../../src/ports/task-store.ts'
import type { Driver } from './driver.ts'
import { recordsById } from './records.ts'
import { startGroup } from './rows.ts'
import { sql, type Row, type Transaction } from './statement.ts'
import { integer, text } from './values.ts'

/**
 * The queue. A queued task that is not stuck waits (`ready` 0) in an index by its due time; once that
 * has come it is made ready (1), and stands in two more: by rank, and by group and rank. So tasks that
 * are not due yet are in nobody's way, whatever their priority, and each is moved once.
 *
 * First the best ranked are looked through, up to a bounded number. If too many of them are blocked,
 * the groups are visited instead, each by one seek to its best task: then what it costs grows with the
 * number of groups, but not with how many wait in any of them.
 */
export async function startable(
  driver: Driver,
  now: Date,
  blocked: readonly Pick<Group, 'type' | 'key'>[],
  limit: number,
): Promise<readonly TaskRecord[]> {
  const at = now.getTime()
  const blockedGroups = new Set(blocked.map(({ type, key }) => startGroup(type, key)))
  const select = function* (): Transaction<readonly TaskRecord[]> {
    return yield* recordsById(yield* bestReady(at, blockedGroups, limit))
  }
  const found = await driver.read(function* () {
    const [waiting] =
      yield sql`SELECT seq FROM tasks WHERE ready = 0 AND due_at <= ${at} ORDER BY due_at LIMIT 1`
    return waiting ? undefined : yield* select()
  })
  if (found) return found
  return driver.write(function* () {
    yield sql`UPDATE tasks SET ready = 1 WHERE ready = 0 AND due_at <= ${at}`
    return yield* select()
  })
}

interface Candidate {
  readonly id: string
  readonly group: string
  readonly rank: number
  readonly seq: number
}

function* bestReady(
  at: number,
  blocked: ReadonlySet<string>,
  limit: number,
): Transaction<readonly string[]> {
  const window = Math.max(200, 4 * limit)
  // Due again: the clock may have been set back, or the dues shifted, since a task was made ready.
  const rows = yield sql`SELECT id, start_group, start_rank, seq FROM tasks
    WHERE ready = 1 AND due_at <= ${at} ORDER BY start_rank, seq LIMIT ${window}`
  const free = rows.map(candidate).filter(({ group }) => !blocked.has(group))
  if (free.length >= limit || rows.length < window) return ids(free, limit)
  return yield* bestOfGroups(at, blocked, limit)
}

function* bestOfGroups(
  at: number,
  blocked: ReadonlySet<string>,
  limit: number,
): Transaction<readonly string[]> {
  const groups = yield sql`WITH RECURSIVE groups (name) AS (
      SELECT MIN(start_group) FROM tasks WHERE ready = 1
      UNION ALL
      SELECT (SELECT MIN(start_group) FROM tasks WHERE ready = 1 AND start_group > groups.name)
      FROM groups WHERE groups.name IS NOT NULL
    )
    SELECT name, (SELECT MIN(start_rank) FROM tasks WHERE ready = 1 AND start_group = name) AS best
    FROM groups WHERE name IS NOT NULL`
  const byBest = groups
    .map((row) => ({ name: text(row, 'name'), best: integer(row, 'best') }))
    .filter(({ name }) => !blocked.has(name))
    .sort((a, b) => a.best - b.best)
  let found: Candidate[] = []
  for (const { name, best } of byBest) {
    const worst = found[limit - 1]
    if (worst && best > worst.rank) break
    const rows = yield sql`SELECT id, start_group, start_rank, seq FROM tasks
      WHERE ready = 1 AND start_group = ${name} AND due_at <= ${at}
      ORDER BY start_rank, seq LIMIT ${limit}`
    found = [...found, ...rows.map(candidate)].sort(byRank).slice(0, limit)
  }
  return ids(found, limit)
}

function candidate(row: Row): Candidate {
  return {
    id: text(row, 'id'),
    group: text(row, 'start_group'),
    rank: integer(row, 'start_rank'),
    seq: integer(row, 'seq'),
  }
}

function byRank(a: Candidate, b: Candidate): number {
  return a.rank - b.rank || a.seq - b.seq
}

function ids(candidates: readonly Candidate[], limit: number): readonly string[] {
  return candidates.slice(0, limit).map(({ id }) => id)
}
