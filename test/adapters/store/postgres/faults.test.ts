import assert from 'node:assert/strict'
import { Unavailable } from '../../../../src/core/errors.ts'
import { systemClock } from '../../../../src/app/system-clock.ts'
import type { Store } from '../../../../src/ports/store.ts'
import {
  createDatabase,
  freshDatabase,
  ownServer,
  queryOnce,
  type Database,
} from '../../../support/postgres.ts'
import { DEFINITION, newEvent, newTask, QuietLogger, until } from '../../../support/store.ts'
import { openStore, proxied } from './opened.ts'

/** Accepts until it is told to stop, each as often as it takes. */
function traffic(store: Store) {
  const acknowledged: string[] = []
  const wrong: unknown[] = []
  let failed = 0
  let stopped = false
  let count = 0
  async function acceptOne(id: string): Promise<void> {
    while (!stopped) {
      try {
        await store.tasks.accept(newTask(systemClock, id), DEFINITION, [
          newEvent(systemClock, `accepted-${id}`, { taskId: `encode/${id}` }),
        ])
        acknowledged.push(id)
        return
      } catch (error) {
        if (!(error instanceof Unavailable)) wrong.push(error)
        failed += 1
        await systemClock.sleep(20)
      }
    }
  }
  const workers = Array.from({ length: 8 }, async () => {
    while (!stopped) await acceptOne(String((count += 1)))
  })
  return {
    acknowledged,
    failed: () => failed,
    async [Symbol.asyncDispose]() {
      stopped = true
      await Promise.all(workers)
    },
    /** Resolves once another hundred have been accepted. */
    async goesOn() {
      const before = acknowledged.length
      await until(() => acknowledged.length > before + 100, 'tasks are accepted', 30_000)
    },
    async check() {
      stopped = true
      await Promise.all(workers)
      assert.deepEqual(wrong, [], 'all that is thrown is Unavailable')
      const events = new Map<string, number>()
      for (let after: string | undefined; ;) {
        const page = await store.events.read({ limit: 1000, ...(after !== undefined && { after }) })
        for (const { eventId } of page.events) events.set(eventId, (events.get(eventId) ?? 0) + 1)
        if (page.cursor === after) break
        after = page.cursor
      }
      for (const id of acknowledged) assert.equal(events.get(`accepted-${id}`), 1, id)
    },
  }
}

describe('the Postgres store under traffic', () => {
  describe('on a server that is there', () => {
    let database: Database
    beforeEach(async function () {
      database = await freshDatabase(this)
    })
    afterEach(() => database[Symbol.asyncDispose]())

    it('goes on when all its connections are terminated, the listening one too', async () => {
      const logger = new QuietLogger()
      await using store = await openStore(database.url, { logger })
      await until(() => logger.events.includes('store.listening'), 'it listens')
      await using work = traffic(store)
      for (let times = 0; times < 3; times++) {
        await work.goesOn()
        logger.events.length = 0
        await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()`)
        await until(() => logger.events.includes('store.listening'), 'it listens again', 20_000)
      }
      await work.goesOn()
      assert.ok(work.failed() > 0)
      await work.check()
    }).timeout(60_000)

    it('waits while the database only reads, and says so', async () => {
      await using store = await openStore(database.url)
      await using work = traffic(store)
      await work.goesOn()
      const name = new URL(database.url).pathname.slice(1)
      const elsewhere = new URL(database.url)
      elsewhere.pathname = '/postgres'
      await queryOnce(
        elsewhere.href,
        `ALTER DATABASE ${name} SET default_transaction_read_only = on`,
      )
      await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`)
      const before = work.failed()
      await until(() => work.failed() > before + 50, 'writes fail')
      await assert.rejects(store.check(), { code: 'store-unavailable' })
      assert.ok(await store.tasks.find('encode/1'), 'reads go on')
      await queryOnce(elsewhere.href, `ALTER DATABASE ${name} RESET ALL`)
      await work.goesOn()
      await work.check()
    }).timeout(60_000)

    it('says so when nothing comes back, and goes on when the network does', async () => {
      await using network = await proxied(database.url)
      await using store = await openStore(network.url)
      await using work = traffic(store)
      await work.goesOn()
      network.freeze()
      const before = work.failed()
      await until(() => work.failed() > before, 'it gives up waiting', 20_000)
      network.mend()
      await work.goesOn()
      await work.check()
    }).timeout(60_000)

    it('finds out when asked again, where the answer to a commit was lost', async () => {
      await using network = await proxied(database.url)
      await using store = await openStore(network.url)
      const task = newTask(systemClock, '1')
      const codes: unknown[] = []
      for (let done = false; !done;) {
        const cut = setTimeout(
          () => {
            network.drop()
          },
          1 + Math.random() * 6,
        )
        try {
          done = !(await store.tasks.accept(task, DEFINITION, [newEvent(systemClock, 'e')]))
            .accepted
        } catch (error) {
          codes.push((error as Unavailable).code)
        }
        clearTimeout(cut)
      }
      for (const code of codes) {
        assert.ok(code === 'store-unavailable' || code === 'commit-unknown', String(code))
      }
      // The last cut may have come after the answer: this looks past the network.
      await using direct = await openStore(database.url)
      const { events } = await direct.events.read({ limit: 10 })
      assert.equal(events.length, 1)
    }).timeout(30_000)

    it('closes within seconds while the network is frozen', async () => {
      await using network = await proxied(database.url)
      const store = await openStore(network.url)
      await store.check()
      network.freeze()
      const begun = performance.now()
      await store[Symbol.asyncDispose]()
      assert.ok(performance.now() - begun < 5000)
      await assert.rejects(store.check(), { code: 'store-closed' })
    })
  })

  it('has all that was acknowledged after the server was killed, and goes on', async function () {
    this.timeout(90_000)
    await using server = await ownServer(this)
    await using database = await createDatabase(server.url)
    await using store = await openStore(database.url)
    await using work = traffic(store)
    for (let times = 0; times < 3; times++) {
      await work.goesOn()
      await server.kill()
      const before = work.failed()
      await until(() => work.failed() > before + 10, 'it is away')
      await server.start()
    }
    await work.goesOn()
    await work.check()
  })
})
