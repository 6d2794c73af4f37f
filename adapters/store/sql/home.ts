import type { Lease } from '../../../src/ports/leadership.ts'
import type { Settled, TaskStore } from '../../../src/ports/task-store.ts'
import { guardLease } from './changes.ts'
import type { Dialect } from './dialect.ts'
import type { Driver } from './driver.ts'
import { sql, type Transaction } from './statement.ts'
import { integer, text } from './values.ts'

/** Among what `Store.remember` keeps. */
const HOME = 'user.units-home'

/**
 * One transaction under the lease: nobody but its holder begins attempts, so none comes between the
 * count and the move, and a leader that was overtaken moves nothing.
 */
export function createSettle(driver: Driver, dialect: Dialect): TaskStore['settle'] {
  return (home, lease, { abandon = false } = {}) =>
    driver.write(() => settle(dialect, lease, home, abandon))
}

function* settle(
  dialect: Dialect,
  lease: Lease,
  home: string,
  abandon: boolean,
): Transaction<Settled> {
  yield* guardLease(dialect, lease)
  const [known] = yield sql`SELECT value FROM remembered WHERE name = ${HOME}`
  const before = known && text(known, 'value')
  if (before === home) return { at: home }
  // The first part goes by the index of what is live, the second by that of what is kept.
  const [row] = yield sql`SELECT
    (SELECT COUNT(*) FROM attempts WHERE state <> 'exited') +
    (SELECT COUNT(*) FROM attempts WHERE state = 'exited' AND released_at IS NULL) AS count`
  const units = row ? integer(row, 'count') : 0
  if (before !== undefined && units > 0 && !abandon) return { at: before, units }
  yield sql`INSERT INTO remembered (name, value) VALUES (${HOME}, ${home})
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`
  return { at: home, ...(before !== undefined && { moved: { from: before, units } }) }
}
