import { randomUUID } from 'node:crypto'
import { Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { TaskStore } from '../../../src/ports/task-store.ts'
import { guardLease } from './changes.ts'
import type { Dialect } from './dialect.ts'
import type { Driver } from './driver.ts'
import { shiftDues } from './shift.ts'
import { sql, type Transaction } from './statement.ts'
import { text } from './values.ts'

/** Which call has shifted last. */
const SHIFTED = 'dues.shifted'

/**
 * Shifts the dues by the whole jump once, although it is asked for again when the answer to a commit
 * was lost: each call leaves a word of its own, by which the next one finds out how far they are.
 */
export function createShiftDues(
  driver: Driver,
  dialect: Dialect,
  clock: Clock,
): TaskStore['shiftDues'] {
  /** Calls of one lease that may have been committed, and by how much the dues are shifted then. */
  let unknown = new Map<string, number>()
  let epoch = 0

  return async (ms, lease) => {
    if (lease.epoch !== epoch) unknown = new Map()
    epoch = lease.epoch
    const word = randomUUID()
    try {
      await driver.write(
        function* () {
          yield* guardLease(dialect, lease)
          const shiftedMs = unknown.size === 0 ? 0 : (unknown.get(yield* lastWord()) ?? 0)
          if (ms !== shiftedMs) yield* shiftDues(ms - shiftedMs, clock.now().getTime())
          yield sql`INSERT INTO remembered (name, value) VALUES (${SHIFTED}, ${word})
            ON CONFLICT (name) DO UPDATE SET value = excluded.value`
        },
        { topics: ['queue', 'tasks'] },
      )
      unknown = new Map()
    } catch (error) {
      if (error instanceof Unavailable && error.code === 'commit-unknown') unknown.set(word, ms)
      throw error
    }
  }
}

function* lastWord(): Transaction<string> {
  const [row] = yield sql`SELECT value FROM remembered WHERE name = ${SHIFTED}`
  return row ? text(row, 'value') : ''
}
