import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MIGRATIONS } from '../../../../adapters/store/sql/migrations.ts'
import { migrateSqlite, openSqliteStore } from '../../../../adapters/store/sqlite/open.ts'
import { sqliteSchema } from '../../../../adapters/store/sqlite/schema.ts'
import { Rejected, Unavailable } from '../../../../src/core/errors.ts'
import {
  changeOf,
  DEFINITION,
  found,
  ManualClock,
  newTask,
  QuietLogger,
  temporaryFolder,
} from '../../../support/store.ts'
import { startHolder } from './holder-process.ts'

describe('opening the SQLite store', () => {
  const clock = new ManualClock()
  const open = (file: string) => openSqliteStore({ file, clock, logger: new QuietLogger() })

  it('fails while another process has it, saying which file, and works once that is killed', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'longhaul.db')
    await using holder = await startHolder(file)
    await assert.rejects(open(file), (error) => {
      assert.ok(error instanceof Unavailable)
      assert.equal(error.code, 'data-held')
      assert.match(error.message, /another daemon holds the data folder/)
      assert.ok(error.message.includes(file))
      return true
    })
    await holder.kill()
    await using store = await open(file)
    await store.check()
  })

  it('keeps everything, its identity included, over a restart, and takes a higher epoch', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'longhaul.db')
    const signal = new AbortController().signal
    const first = await open(file)
    await first.remember('folder', 'f')
    await first.tasks.accept(newTask(clock, '1'), DEFINITION, [])
    await first.messages.put({ id: 'm', body: new Uint8Array([1]), headers: {} })
    const [held] = await first.messages.claim(1, 1e9)
    const before = await first.leadership.acquire(signal)
    await first[Symbol.asyncDispose]()

    await using second = await open(file)
    await using after = await second.leadership.acquire(signal)
    assert.equal(second.installation, first.installation)
    assert.equal(await second.remember('folder', 'g'), 'f')
    const record = await found(second, 'encode/1')
    assert.ok(after.epoch > before.epoch)
    await assert.rejects(second.tasks.apply(changeOf(record, {}), before), { code: 'lease-lost' })
    assert.deepEqual(await second.messages.claim(1, 1000), [held], 'holds end with their process')
  })

  it('refuses a schema that a newer release has written, unless that still lets this one in', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'longhaul.db')
    await (await open(file))[Symbol.asyncDispose]()
    const alter = (statement: string) => {
      const database = new DatabaseSync(file)
      database.exec(statement)
      database.close()
    }
    alter('INSERT INTO migrations (version, applied_at) VALUES (999, 0)')
    await (await open(file))[Symbol.asyncDispose]()
    alter(`UPDATE remembered SET value = '999' WHERE name = 'schema.oldest'`)
    await assert.rejects(open(file), (error) => {
      return error instanceof Rejected && error.code === 'schema-newer'
    })
  })

  it('says that it is closed, having committed what was asked for before', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'longhaul.db')
    const store = await open(file)
    const accepted = store.tasks.accept(newTask(clock, '1'), DEFINITION, [])
    await store[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    assert.equal((await accepted).accepted, true)
    await assert.rejects(store.check(), { code: 'store-closed' })
    await assert.rejects(store.tasks.find('encode/1'), { code: 'store-closed' })
  })
})

describe('the schema of an SQLite store', () => {
  const clock = new ManualClock()
  const logger = new QuietLogger()
  const known = MIGRATIONS.length

  it('is brought up to date by itself, or not at all where that is not wanted', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'longhaul.db')
    const options = { file, clock, logger }
    await assert.rejects(openSqliteStore({ ...options, migrate: false }), { code: 'schema-older' })
    assert.deepEqual(await migrateSqlite(options), { from: 0, to: known })
    assert.deepEqual(await migrateSqlite(options), { from: known, to: known })
    await using store = await openSqliteStore({ ...options, migrate: false })
    await store.check()
  })

  it('can be told from outside, beside a process that has it open and before there is one', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'name with ?#%20.db')
    assert.equal(await sqliteSchema(file, logger), undefined)
    await using holder = await startHolder(file)
    assert.deepEqual(await sqliteSchema(file, logger), { found: known, known, fit: 'current' })
    await holder.kill()
    assert.equal((await sqliteSchema(file, logger))?.fit, 'current')
    assert.deepEqual(
      (await readdir(folder.path)).filter((name) => name.endsWith('-shm')),
      [],
    )
    using database = new DatabaseSync(file)
    database.exec('INSERT INTO migrations (version, applied_at) VALUES (999, 0)')
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    assert.equal((await sqliteSchema(file, logger))?.fit, 'usable')
    database.exec(`UPDATE remembered SET value = '999' WHERE name = 'schema.oldest'`)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    assert.equal((await sqliteSchema(file, logger))?.fit, 'newer')
  })

  it('cannot be told of a file that is no database', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'longhaul.db')
    await writeFile(file, 'no database, and long enough to be looked at as one '.repeat(100))
    await assert.rejects(sqliteSchema(file, logger), { code: 'store-damaged' })
  })
})
