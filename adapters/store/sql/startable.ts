import type { TaskRecord } from '../../../src/core/task.ts'
import type { Bounded } from '../../../src/ports/task-store.ts'
import type { Driver } from './driver.ts'
import { recordsById } from './records.ts'
import { startGroup } from './rows.ts'
import { join, limited, padded, sql, type Row, type Transaction } from './statement.ts'
import { integer, text } from './values.ts'

/**
 * The queue. A queued task that is not stuck waits (`ready` 0) in an index by its due time; once that
 * has come it is made ready (1), and stands in two more: by rank, and by group and rank. So tasks that
 * are not due yet are in nobody's way, whatever their priority, and each is moved once.
 *
 * First the best ranked are looked through, up to a bounded number. If too many of them are of
 * groups without room, the groups are visited instead, each by one seek to its best task: then what it
 * costs grows with the number of groups, but not with how many wait in any of them.
 */
export async function startable(
  driver: Driver,
  now: Date,
  bounded: readonly Bounded[],
  limit: number,
): Promise<readonly TaskRecord[]> {
  const at = now.getTime()
  const rooms = new Map(
    bounded.map(({ type, key, room = 0 }) => [startGroup(type, key), Math.max(0, room)]),
  )
  const select = function* (): Transaction<readonly TaskRecord[]> {
    return yield* recordsById(yield* bestReady(at, rooms, limit))
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

/** Of how many of a group there is room; of those that are not in it, for any number. */
type Rooms = ReadonlyMap<string, number>

function* bestReady(at: number, rooms: Rooms, limit: number): Transaction<readonly string[]> {
  const window = Math.max(200, 4 * limit)
  // Due again: the clock may have been set back, or the dues shifted, since a task was made ready.
  const best = sql`SELECT id, start_group, start_rank, seq FROM tasks
    WHERE ready = 1 AND due_at <= ${at} ORDER BY start_rank, seq ${limited(window)}`
  const full = [...rooms].filter(([, room]) => room === 0).map(([group]) => group)
  const rows =
    full.length === 0
      ? yield best
      : yield sql`SELECT * FROM (${best}) AS best
          WHERE start_group NOT IN (${join(padded(full))})`
  const found = within(rows.map(candidate).sort(byRank), rooms)
  if (found.length >= limit) return ids(found, limit)
  const [beyond] = yield sql`SELECT seq FROM tasks
    WHERE ready = 1 AND due_at <= ${at} ORDER BY start_rank, seq LIMIT 1 OFFSET ${window}`
  return beyond ? yield* bestOfGroups(at, rooms, limit) : ids(found, limit)
}

/** The best of each group, as many as there is room for. */
function within(candidates: readonly Candidate[], rooms: Rooms): readonly Candidate[] {
  const left = new Map(rooms)
  return candidates.filter(({ group }) => {
    const room = left.get(group)
    if (room === undefined) return true
    left.set(group, room - 1)
    return room > 0
  })
}

function* bestOfGroups(at: number, rooms: Rooms, limit: number): Transaction<readonly string[]> {
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
    .filter(({ name }) => rooms.get(name) !== 0)
    .sort((a, b) => a.best - b.best)
  let found: Candidate[] = []
  for (const { name, best } of byBest) {
    const worst = found[limit - 1]
    if (worst && best > worst.rank) break
    const rows = yield sql`SELECT id, start_group, start_rank, seq FROM tasks
      WHERE ready = 1 AND start_group = ${name} AND due_at <= ${at}
      ORDER BY start_rank, seq ${limited(Math.min(limit, rooms.get(name) ?? limit))}`
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
