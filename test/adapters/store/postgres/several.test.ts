import assert from 'node:assert/strict'
import { Client } from 'pg'
import { systemClock } from '../../../../src/app/system-clock.ts'
import type { Store } from '../../../../src/ports/store.ts'
import { freshDatabase, queryOnce, type Database } from '../../../support/postgres.ts'
import {
  changeOf,
  DEFINITION,
  found,
  newEvent,
  newTask,
  QuietLogger,
  until,
} from '../../../support/store.ts'
import { NEVER, openStore } from './opened.ts'

describe('several stores on one Postgres', () => {
  let database: Database
  let a: Store
  let b: Store
  beforeEach(async function () {
    database = await freshDatabase(this)
    ;[a, b] = await Promise.all([openStore(database.url), openStore(database.url)])
  })
  afterEach(async () => {
    await Promise.all([a, b].map((store) => store[Symbol.asyncDispose]()))
    await database[Symbol.asyncDispose]()
  })

  const event = (id: string, taskId = `encode/${id}`) => newEvent(systemClock, id, { taskId })

  it('are one installation, although they were opened at once on an empty database', () => {
    assert.equal(a.installation, b.installation)
  })

  it('accept a task once, whoever of them is asked', async () => {
    for (let n = 0; n < 20; n++) {
      const answers = await Promise.all(
        [a, b, a, b].map((store, i) =>
          store.tasks.accept(newTask(systemClock, String(n), { uid: `uid-${i}` }), DEFINITION, [
            event(`${n}-${i}`, `encode/${n}`),
          ]),
        ),
      )
      assert.equal(answers.filter(({ accepted }) => accepted).length, 1)
      assert.equal(new Set(answers.map(({ record }) => record.task.uid)).size, 1)
    }
    assert.equal((await a.events.read({ limit: 1000 })).events.length, 20)
  })

  it('accept a task whose definition is purged at the same moment', async () => {
    await using lease = await a.leadership.acquire(NEVER)
    for (let n = 0; n < 20; n++) {
      const { record } = await b.tasks.accept(newTask(systemClock, `old${n}`), DEFINITION, [])
      await b.tasks.apply(changeOf(record, { state: 'cancelled', purgeAt: new Date(0) }))
      const [, answer] = await Promise.all([
        a.tasks.purge(systemClock.now(), 100, lease),
        b.tasks.accept(newTask(systemClock, `new${n}`), DEFINITION, []),
      ])
      assert.equal(answer.accepted, true)
      assert.deepEqual(await a.tasks.definition(DEFINITION.hash), DEFINITION)
      await b.tasks.apply(changeOf(answer.record, { state: 'cancelled', purgeAt: new Date(0) }))
      while ((await a.tasks.purge(systemClock.now(), 100, lease)) > 0);
    }
  })

  it('purge no task that is redriven at the same moment', async () => {
    await using lease = await a.leadership.acquire(NEVER)
    const { record } = await b.tasks.accept(newTask(systemClock, '1'), DEFINITION, [])
    await b.tasks.apply(changeOf(record, { state: 'failed', purgeAt: new Date(0) }))
    const redriving = new Client({ connectionString: database.url })
    await redriving.connect()
    try {
      await redriving.query('BEGIN')
      await redriving.query(`UPDATE tasks SET state = 'queued', purge_at = NULL`)
      const purge = a.tasks.purge(systemClock.now(), 10, lease)
      const waits = `SELECT 1 FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM tasks%'`
      await until(async () => (await database.query(waits)).length > 0, 'the purge waits')
      await redriving.query('COMMIT')
      assert.equal(await purge, 0)
      await found(b, 'encode/1')
    } finally {
      await redriving.end()
    }
  })

  it('claim disjoint events and messages, and in order within a task', async () => {
    await a.tasks.append(Array.from({ length: 300 }, (_, n) => event(`${n}`, `encode/${n % 60}`)))
    for (let n = 0; n < 100; n++) {
      await a.messages.put({ id: `m${n}`, body: new Uint8Array(), headers: {} })
    }
    const sent: string[] = []
    const taken: string[] = []
    await Promise.all(
      [a, b, a, b].map(async (store) => {
        while (sent.length < 300) {
          const events = await store.events.claim(7, 60_000)
          sent.push(...events.map(({ eventId }) => eventId))
          const seqs = events.map(({ seq }) => seq)
          await store.events.markSent(seqs, systemClock.now())
        }
        while (taken.length < 100) {
          const messages = await store.messages.claim(7, 60_000)
          taken.push(...messages.map(({ id }) => id))
          for (const { key } of messages) await store.messages.done(key)
        }
      }),
    )
    assert.equal(new Set(sent).size, 300)
    assert.equal(sent.length, 300)
    assert.equal(taken.length, 100)
    assert.equal(new Set(taken).size, 100)
    for (let task = 0; task < 60; task++) {
      const own = sent.map(Number).filter((n) => n % 60 === task)
      assert.deepEqual(
        own,
        [...own].sort((x, y) => x - y),
      )
    }
  })

  it('leave each other’s holds alone until they lapse, and then alone what another has', async () => {
    await a.tasks.append([event('1')])
    await a.messages.put({ id: 'm', body: new Uint8Array(), headers: {} })
    const [held] = await a.events.claim(1, 60_000)
    const [message] = await a.messages.claim(1, 60_000)
    await b.events.giveBack([held!.seq])
    await b.messages.giveBack(message!.key)
    await b.messages.retry(message!.key, systemClock.now(), { name: 'E', message: '' })
    assert.deepEqual(await b.events.claim(1, 1000), [])
    assert.deepEqual(await b.messages.claim(1, 1000), [])
    await database.query('UPDATE events SET held_until = 1; UPDATE messages SET held_until = 1')
    assert.deepEqual(await b.events.claim(1, 60_000), [held])
    assert.deepEqual(await b.messages.claim(1, 60_000), [message])
    // Whoever had it is late.
    await a.messages.retry(message!.key, systemClock.now(), { name: 'E', message: '' })
    await a.messages.giveBack(message!.key)
    assert.deepEqual(await a.messages.claim(1, 1000), [])
  })

  it('count a failed try once, although it is told again because the answer was lost', async () => {
    await a.messages.put({ id: 'm', body: new Uint8Array(), headers: {} })
    const [message] = await a.messages.claim(1, 60_000)
    const retry = () => a.messages.retry(message!.key, new Date(0), { name: 'E', message: '' })
    await retry()
    await retry()
    assert.equal((await b.messages.claim(1, 1000))[0]?.tries, 1)
  })

  it('read an event that commits late, in the log’s order, and skip none', async () => {
    const late = new Client({ connectionString: database.url })
    await late.connect()
    try {
      const columns = `(event_id, name, at, attributes, sticky_attributes, message)`
      await late.query('BEGIN')
      await late.query(`INSERT INTO events ${columns} VALUES ('late', 'n', 0, '{}', '{}', '{}')`)
      await a.tasks.append([event('early')])
      const before = await b.events.read({ limit: 10 })
      assert.deepEqual(before.events, [], 'one that is numbered before may still come')
      let woken = 0
      b.onWrite('events', () => (woken += 1))
      const end = await b.events.end()
      assert.deepEqual(
        (await b.events.claim(10, 1000)).map(({ eventId }) => eventId),
        ['early'],
        'the outbox does not wait for it',
      )
      await until(() => woken > 0, 'its reader is asked to come again', 1000)
      await late.query('COMMIT')
      const after = await b.events.read({ limit: 10, after: before.cursor })
      assert.deepEqual(
        after.events.map(({ eventId }) => eventId),
        ['late', 'early'],
      )
      assert.deepEqual(
        (await b.events.read({ limit: 10, after: end })).events.length,
        2,
        'the end of then lies before what had not been readable',
      )
    } finally {
      await late.end()
    }
  })

  it('read on in the right order on a server that counts transactions anew', async () => {
    await a.tasks.append([event('1'), event('2')])
    await database.query('UPDATE events SET txid = txid + 1000000')
    await using restored = await openStore(database.url)
    await restored.tasks.append([event('3')])
    const { events } = await restored.events.read({ limit: 10 })
    assert.deepEqual(
      events.map(({ eventId }) => eventId),
      ['1', '2', '3'],
    )
  })

  it('wake each other by what they write, for each topic once a transaction', async () => {
    const woken: string[] = []
    const logger = new QuietLogger()
    await using listening = await openStore(database.url, { logger })
    await until(() => logger.events.includes('store.listening'), 'it listens')
    for (const topic of ['queue', 'tasks', 'events', 'messages'] as const) {
      listening.onWrite(topic, () => woken.push(topic))
    }
    const task = newTask(systemClock, '1', { deadlineAt: systemClock.now() })
    const { record } = await a.tasks.accept(task, DEFINITION, [event('1')])
    await until(() => woken.length >= 3, 'the wake-ups come', 400)
    assert.deepEqual(woken.sort(), ['events', 'queue', 'tasks'])
    await b.messages.put({ id: 'm', body: new Uint8Array(), headers: {} })
    await until(() => woken.includes('messages'), 'the wake-up comes', 400)
    await assert.rejects(a.tasks.apply(changeOf(record, { definition: 'none' })))
    await b.tasks.apply(changeOf(record, { priority: 1 }))
    await until(() => woken.length >= 6, 'the wake-ups come', 400)
    assert.equal(woken.length, 6, 'a transaction that is undone tells nothing')
  })

  it('poll where notifications are accepted and do not come, as behind pgbouncer', async () => {
    const logger = new QuietLogger()
    const elsewhere = new URL(database.url)
    elsewhere.pathname = '/postgres'
    assert.equal((await queryOnce(elsewhere.href, 'SELECT 1')).length, 1)
    await using polling = await openStore(database.url, { logger, listenUrl: elsewhere.href })
    let woken = 0
    polling.onWrite('messages', () => (woken += 1))
    await until(() => logger.events.includes('store.polling'), 'it notices')
    woken = 0
    await until(() => woken >= 3, 'it wakes twice a second', 2500)
  })
})
