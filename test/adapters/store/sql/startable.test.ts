import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { migrate } from '../../../../adapters/store/sql/migrate.ts'
import { startable } from '../../../../adapters/store/sql/startable.ts'
import { createTaskStore } from '../../../../adapters/store/sql/task-store.ts'
import { SQLITE } from '../../../../adapters/store/sqlite/dialect.ts'
import { SqliteDriver } from '../../../../adapters/store/sqlite/driver.ts'
import { counting } from './counting-driver.ts'
import { DEFINITION, ManualClock, newTask, QuietLogger } from '../../../support/store.ts'

describe('the queue, with ten thousand in the way', () => {
  it('visits a bounded number of rows, each by an index and in its order', async () => {
    const clock = new ManualClock()
    const database = new DatabaseSync(':memory:')
    await using driver = new SqliteDriver(database, new QuietLogger())
    await migrate(driver, SQLITE, { clock, logger: new QuietLogger() })
    const tasks = createTaskStore(driver, SQLITE, clock)
    const dueAt = new Date(clock.now().getTime() + 3_600_000)
    const add = (id: string, differs: object) =>
      tasks.accept(newTask(clock, id, differs), DEFINITION, [])
    await Promise.all(
      Array.from({ length: 10_000 }, async (_, n) => {
        await add(`b${n}`, { concurrencyKey: 'blocked', priority: 10 })
        await add(`l${n}`, { concurrencyKey: 'later', priority: 100, dueAt })
      }),
    )
    for (let n = 0; n < 5; n++) await add(`f${n}`, { concurrencyKey: `free-${n}` })

    const { wrapped, seen } = counting(driver)
    const blocked = [{ type: 'encode', key: 'blocked' }]
    const records = await startable(wrapped, clock.now(), blocked, 10)
    assert.deepEqual(
      records.map(({ task }) => task.id),
      ['encode/f0', 'encode/f1', 'encode/f2', 'encode/f3', 'encode/f4'],
    )
    assert.ok(seen.rows <= 250, `${seen.rows} rows`)
    assert.ok(seen.statements.length <= 15, `${seen.statements.length} statements`)
    for (const { text, values } of seen.statements) {
      const plan = database
        .prepare(`EXPLAIN QUERY PLAN ${text}`)
        .all(...values)
        .map(({ detail }) => String(detail))
      // A walk along an index ends at the LIMIT; a sort, or a walk over the table, would not.
      for (const step of plan) {
        assert.doesNotMatch(
          step,
          /TEMP B-TREE|SCAN tasks(?! USING COVERING INDEX tasks_ready)/,
          text,
        )
      }
    }
  }).timeout(20_000)
})
