import { openPostgresStore } from '../../../../adapters/store/postgres/open.ts'
import { storeContract } from '../../../contract/store.ts'
import { poolerBefore, type Pooler } from '../../../support/pgbouncer.ts'
import { freshDatabase, type Database } from '../../../support/postgres.ts'
import { QuietLogger, until } from '../../../support/store.ts'
import { openStore } from './opened.ts'

describe('on Postgres behind pgbouncer in transaction mode', () => {
  const opened = new AsyncDisposableStack()
  let database: Database
  let pooler: Pooler
  before(async function () {
    database = opened.use(await freshDatabase(this))
    pooler = opened.use(await poolerBefore(database.url, this))
  })
  after(() => opened.disposeAsync())
  beforeEach(() => database.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public'))

  storeContract('the Postgres store', {
    open: (clock) => openPostgresStore({ url: pooler.url, clock, logger: new QuietLogger() }),
    async elapse(ms) {
      for (const table of ['events', 'messages']) {
        await database.query(`UPDATE ${table} SET held_until = held_until - $1::BIGINT`, [ms])
      }
    },
  })

  for (const [how, says, listenUrl] of [
    ['asks again and again where it cannot listen', 'store.polling', undefined],
    ['listens at the address of the server itself', 'store.listening', () => database.url],
  ] as const) {
    it(how, async () => {
      const logger = new QuietLogger()
      const listenAt = listenUrl && { listenUrl: listenUrl() }
      await using store = await openStore(pooler.url, { logger, ...listenAt })
      await until(() => logger.events.includes(says), says, 15_000)
      let woken = 0
      store.onWrite('messages', () => (woken += 1))
      await using other = await openStore(pooler.url)
      await other.messages.put({ id: 'm', body: new Uint8Array(), headers: {} })
      await until(() => woken > 0, 'it is woken', 5_000)
    })
  }
})
