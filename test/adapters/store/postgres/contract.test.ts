import { openPostgresStore } from '../../../../adapters/store/postgres/open.ts'
import { storeContract } from '../../../contract/store.ts'
import { freshDatabase, type Database } from '../../../support/postgres.ts'
import { QuietLogger } from '../../../support/store.ts'

describe('on Postgres', () => {
  let database: Database
  before(async function () {
    database = await freshDatabase(this)
  })
  after(() => database[Symbol.asyncDispose]())
  beforeEach(() => database.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public'))

  storeContract('the Postgres store', {
    open: (clock) => openPostgresStore({ url: database.url, clock, logger: new QuietLogger() }),
    // Holds go by the database's clock, which cannot be moved: so they are.
    async elapse(ms) {
      for (const table of ['events', 'messages']) {
        await database.query(`UPDATE ${table} SET held_until = held_until - $1::BIGINT`, [ms])
      }
    },
  })
})
