import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { raw, sql, type Transaction } from '../../../../adapters/store/sql/statement.ts'
import { SqliteDriver } from '../../../../adapters/store/sqlite/driver.ts'
import { Rejected, Unavailable } from '../../../../src/core/errors.ts'
import { QuietLogger } from '../../../support/store.ts'

describe('the SQLite driver', () => {
  let database: DatabaseSync
  let driver: SqliteDriver
  beforeEach(() => {
    database = new DatabaseSync(':memory:')
    database.exec('CREATE TABLE words (word TEXT PRIMARY KEY)')
    driver = new SqliteDriver(database, new QuietLogger())
  })
  afterEach(() => driver[Symbol.asyncDispose]())

  const insert = (word: string, topics: readonly 'queue'[] = []) =>
    driver.write(
      function* () {
        yield sql`INSERT INTO words (word) VALUES (${word})`
        return word
      },
      { topics },
    )
  const words = () =>
    driver.read(function* () {
      const rows = yield raw('SELECT word FROM words ORDER BY word')
      return rows.map(({ word }) => word)
    })

  it('commits all writes of one turn at once, and reads none of them before', async () => {
    let commits = 0
    driver.onWrite('queue', () => (commits += 1))
    const writes = Promise.all(['a', 'b', 'c'].map((word) => insert(word, ['queue'])))
    assert.deepEqual(await words(), [])
    assert.deepEqual(await writes, ['a', 'b', 'c'])
    assert.deepEqual(await words(), ['a', 'b', 'c'])
    assert.equal(commits, 1)
  })

  it('undoes a write that throws alone, with all that it wrote', async () => {
    const cause = new Rejected('no', 'no')
    const failing = driver.write(function* (): Transaction<void> {
      yield sql`INSERT INTO words (word) VALUES ('half')`
      throw cause
    })
    const results = await Promise.allSettled([insert('a'), failing, insert('a'), insert('b')])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    )
    await assert.rejects(failing, cause)
    assert.ok(results[2].status === 'rejected' && results[2].reason instanceof Rejected)
    assert.deepEqual(await words(), ['a', 'b'])
  })

  it('refuses the whole batch on a full disk, and works again when there is room', async () => {
    await insert('before')
    const { page_count: pages } = database.prepare('PRAGMA page_count').get() as {
      page_count: number
    }
    database.exec(`PRAGMA max_page_count = ${pages}`)
    let woken = 0
    driver.onWrite('queue', () => (woken += 1))
    const results = await Promise.allSettled([
      insert('small', ['queue']),
      insert('x'.repeat(100_000), ['queue']),
      insert('last', ['queue']),
    ])
    for (const result of results) {
      assert.ok(result.status === 'rejected' && result.reason instanceof Unavailable)
      assert.equal(result.reason.code, 'store-unavailable')
    }
    assert.equal(woken, 0)
    assert.deepEqual(await words(), ['before'])
    database.exec('PRAGMA max_page_count = 1000000')
    await insert('after')
    assert.deepEqual(await words(), ['after', 'before'])
  })

  it('goes on when a listener throws, and logs it', async () => {
    let called = false
    driver.onWrite('queue', () => {
      throw new Error('listener')
    })
    driver.onWrite('queue', () => (called = true))
    await insert('a', ['queue'])
    assert.equal(called, true)
  })
})
