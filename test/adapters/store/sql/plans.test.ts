import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { createEventLog } from '../../../../adapters/store/sql/event-log.ts'
import { migrate } from '../../../../adapters/store/sql/migrate.ts'
import { createTaskStore } from '../../../../adapters/store/sql/task-store.ts'
import { SQLITE } from '../../../../adapters/store/sqlite/dialect.ts'
import { SqliteDriver } from '../../../../adapters/store/sqlite/driver.ts'
import { memoryHolding } from '../../../../adapters/store/sqlite/memory-holding.ts'
import { ManualClock, QuietLogger } from '../../../support/store.ts'
import { counting } from './counting-driver.ts'

describe('the statements of the loops', () => {
  it('walk over no table, and sort only what is live', async () => {
    const clock = new ManualClock()
    const database = new DatabaseSync(':memory:')
    await using driver = new SqliteDriver(database, new QuietLogger())
    await migrate(driver, SQLITE, { clock, logger: new QuietLogger() })
    database.exec(`INSERT INTO leases (epoch, owner) VALUES (1, 'test')`)
    const { wrapped, seen } = counting(driver)
    const tasks = createTaskStore(wrapped, SQLITE, clock)
    const events = createEventLog(wrapped, SQLITE, memoryHolding(wrapped, clock, 'events'))
    const now = clock.now()
    const lease = {
      epoch: 1,
      lost: new AbortController().signal,
      remainingMs: () => Infinity,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }

    await tasks.figures(now)
    await tasks.due(now, 10)
    await tasks.nextDue()
    await tasks.nextStart(now)
    await tasks.startable(now, [], 10)
    await tasks.inFlight()
    await tasks.liveUnits()
    await tasks.overKept(50, now, 10)
    await tasks.shiftDues(-1, lease)
    await tasks.settle('a', lease)
    await tasks.settle('b', lease)
    await tasks.purge(now, 10, lease)
    await tasks.list({ limit: 10 })
    await tasks.list({ limit: 10, type: 'a' })
    await tasks.list({ limit: 10, state: 'failed' })
    await tasks.list({ limit: 10, type: 'a', state: 'failed' })
    await events.claim(10, 1000)
    await events.read({ limit: 10, after: '5', name: 'x' })
    await events.end()

    assert.ok(seen.statements.length > 20)
    for (const { text, values } of seen.statements) {
      const plan = database
        .prepare(`EXPLAIN QUERY PLAN ${text}`)
        .all(...values)
        .map((row) => String(row['detail']))
        .join('\n')
      // In the table's own order, or an index's, a walk ends at the LIMIT; before a sort it does not.
      const walks = /^SCAN (tasks|events|attempts|definitions)\b(?! USING)/m.test(plan)
      const ends = text.includes('LIMIT') && !plan.includes('TEMP B-TREE')
      assert.ok(!walks || ends, `${text}\n${plan}`)
      const isPurge = text.includes('purge_at <=')
      assert.ok(!isPurge || plan.includes('tasks_purge'), `${text}\n${plan}`)
    }
  })
})
