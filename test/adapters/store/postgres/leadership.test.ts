import assert from 'node:assert/strict'
import { Client } from 'pg'
import { LeaseLost } from '../../../../src/core/errors.ts'
import { systemClock } from '../../../../src/app/system-clock.ts'
import type { Store } from '../../../../src/ports/store.ts'
import { createDatabase, freshDatabase, type Database } from '../../../support/postgres.ts'
import { changeOf, DEFINITION, found, ManualClock, newTask, until } from '../../../support/store.ts'
import { NEVER, openStore, proxied } from './opened.ts'

describe('the lead on Postgres', () => {
  let database: Database
  beforeEach(async function () {
    this.timeout(60_000)
    database = await freshDatabase(this)
  })
  afterEach(() => database[Symbol.asyncDispose]())

  const acceptOne = async (store: Store) =>
    (await store.tasks.accept(newTask(systemClock, '1'), DEFINITION, [])).record
  const expire = () => database.query('UPDATE leases SET until = 1')

  it('goes over at once when it is given up, and is renewed while it is held', async () => {
    await using a = await openStore(database.url)
    await using b = await openStore(database.url)
    const first = await a.leadership.acquire(NEVER)
    assert.ok(first.remainingMs() <= 8000)
    const waiting = b.leadership.acquire(NEVER)
    let least = first.remainingMs()
    const renewed = () => {
      const now = first.remainingMs()
      least = Math.min(least, now)
      return now > least + 500
    }
    await until(renewed, 'it is renewed', 7_000)
    const leftMs = first.remainingMs()
    const givenUp = performance.now()
    await first[Symbol.asyncDispose]()
    await using second = await waiting
    assert.ok(performance.now() - givenUp < leftMs, 'long before it would have run out')
    assert.equal(second.epoch, first.epoch + 1)
  }).timeout(20_000)

  it('is another process’s within 12 s when its holder is cut off without a word, in the middle of a transaction', async () => {
    await using network = await proxied(database.url)
    await using a = await openStore(network.url)
    await using b = await openStore(database.url)
    const record = await acceptOne(a)
    const stale = await a.leadership.acquire(NEVER)
    // As far as the guard: the leader's transaction, whose client then says nothing any more.
    const inside = new Client({ connectionString: network.url })
    inside.on('error', () => undefined)
    await inside.connect()
    await inside.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 3000')
    await inside.query(`SELECT epoch FROM leases WHERE epoch = ${stale.epoch} FOR KEY SHARE`)
    const cutOff = performance.now()
    network.freeze()
    await using lease = await b.leadership.acquire(NEVER)
    const tookMs = performance.now() - cutOff
    assert.ok(tookMs < 12_000, `${Math.round(tookMs)} ms`)
    assert.ok(lease.epoch > stale.epoch)
    assert.equal(stale.lost.aborted, true, 'it knows by its own clock, before the other begins')
    assert.equal(stale.remainingMs(), 0)

    // The same in a process that does not know.
    network.mend()
    network.drop()
    const unaware = { ...stale, lost: NEVER }
    await until(async () => (await a.check().catch(() => false)) !== false, 'a is back', 15_000)
    await assert.rejects(a.tasks.apply(changeOf(record, { priority: 1 }), unaware), LeaseLost)
    assert.equal(await b.tasks.apply(changeOf(record, { priority: 2 }), lease), 'applied')
    await inside.end()
  }).timeout(60_000)

  it('waits with a takeover for a leader’s open transaction, and lets a renewal pass', async () => {
    await using store = await openStore(database.url)
    const lease = await store.leadership.acquire(NEVER)
    const inside = new Client({ connectionString: database.url })
    await inside.connect()
    try {
      await inside.query('BEGIN')
      await inside.query(`SELECT epoch FROM leases WHERE epoch = ${lease.epoch} FOR KEY SHARE`)
      await until(() => lease.remainingMs() < 6500, 'time goes by')
      await until(() => lease.remainingMs() > 7000, 'the renewal passes')
      await using other = await openStore(database.url)
      await expire()
      let taken = false
      const takeover = other.leadership.acquire(NEVER).then((next) => {
        taken = true
        return next
      })
      const waits = `SELECT 1 FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE leases SET epoch%'`
      await until(async () => (await database.query(waits)).length > 0, 'the takeover waits')
      assert.equal(taken, false)
      await inside.query('COMMIT')
      await using next = await takeover
      assert.equal(next.epoch, lease.epoch + 1)
      await until(() => lease.lost.aborted, 'the one before finds out')
      assert.ok(lease.lost.reason instanceof LeaseLost)
    } finally {
      await inside.end()
    }
  }).timeout(30_000)

  it('lets a guarded write that comes in the midst of a takeover do nothing', async () => {
    await using store = await openStore(database.url)
    const record = await acceptOne(store)
    const lease = await store.leadership.acquire(NEVER)
    const taking = new Client({ connectionString: database.url })
    await taking.connect()
    try {
      await taking.query('BEGIN')
      await taking.query(`UPDATE leases SET epoch = epoch + 1, owner = 'another'`)
      const change = store.tasks.apply(changeOf(record, { priority: 1 }), {
        ...lease,
        lost: NEVER,
      })
      const waits = `SELECT 1 FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE '%FOR KEY SHARE%'`
      await until(async () => (await database.query(waits)).length > 0, 'the write waits')
      await taking.query('COMMIT')
      await assert.rejects(change, LeaseLost)
      assert.equal((await found(store, record.task.id)).task.priority, 0)
    } finally {
      await taking.end()
    }
  })

  it('has ended at once for a process that wakes from being frozen, by either of its clocks', async () => {
    for (const jumps of ['wall', 'monotonic'] as const) {
      await using other = await createDatabase(database.url)
      const manual = new ManualClock()
      let aheadMs = 0
      const clock = {
        now: () => new Date(manual.now().getTime() + (jumps === 'wall' ? aheadMs : 0)),
        monotonicMs: () => manual.monotonicMs() + (jumps === 'monotonic' ? aheadMs : 0),
        sleep: manual.sleep.bind(manual),
      }
      await using store = await openStore(other.url, { clock })
      await using lease = await store.leadership.acquire(NEVER)
      aheadMs = 7999
      assert.equal(lease.lost.aborted, false)
      assert.equal(lease.remainingMs(), 1)
      aheadMs = 8000
      assert.equal(lease.remainingMs(), 0)
      assert.equal(lease.lost.aborted, true, 'without any timer having run')
      aheadMs = 0
      assert.equal(lease.remainingMs(), 0, 'it does not come to life again')
    }
  })

  it('is had by one at a time, whoever asks at once for the very first', async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(database.url)))
    try {
      const stop = new AbortController()
      const asking = stores.map((store) => store.leadership.acquire(stop.signal))
      await using first = await Promise.race(asking)
      stop.abort(new Error('enough'))
      const answers = await Promise.allSettled(asking)
      assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
      assert.equal(first.epoch, 1)
    } finally {
      await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()))
    }
  })
})
