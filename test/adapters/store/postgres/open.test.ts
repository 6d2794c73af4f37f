import assert from 'node:assert/strict'
import { migratePostgres, postgresSchema } from '../../../../adapters/store/postgres/open.ts'
import { MIGRATIONS } from '../../../../adapters/store/sql/migrations.ts'
import { Rejected, Unavailable } from '../../../../src/core/errors.ts'
import { systemClock } from '../../../../src/app/system-clock.ts'
import { freshDatabase, type Database } from '../../../support/postgres.ts'
import { QuietLogger } from '../../../support/store.ts'
import { openStore } from './opened.ts'

const LATEST = MIGRATIONS.length

describe('opening the Postgres store', () => {
  let database: Database
  beforeEach(async function () {
    database = await freshDatabase(this)
  })
  afterEach(() => database[Symbol.asyncDispose]())

  const options = () => ({ url: database.url, clock: systemClock, logger: new QuietLogger() })

  it('leaves the schema alone where it is told to, until somebody migrates it', async () => {
    await assert.rejects(openStore(database.url, { migrate: false }), { code: 'schema-older' })
    assert.deepEqual(await postgresSchema(options()), { found: 0, known: LATEST, fit: 'older' })
    assert.deepEqual(
      await database.query(`SELECT 1 FROM pg_tables WHERE schemaname = 'public'`),
      [],
    )
    await Promise.all([migratePostgres(options()), migratePostgres(options())])
    assert.deepEqual(await migratePostgres(options()), { from: LATEST, to: LATEST })
    assert.equal((await postgresSchema(options())).fit, 'current')
    await using store = await openStore(database.url, { migrate: false })
    await store.check()
  })

  it('refuses a schema that a newer release has written, unless that still lets this one in', async () => {
    await migratePostgres(options())
    await database.query('INSERT INTO migrations (version, applied_at) VALUES (999, 0)')
    assert.deepEqual(await postgresSchema(options()), { found: 999, known: LATEST, fit: 'usable' })
    await (await openStore(database.url))[Symbol.asyncDispose]()
    await database.query(`UPDATE remembered SET value = '999' WHERE name = 'schema.oldest'`)
    await assert.rejects(openStore(database.url), { name: 'Rejected', code: 'schema-newer' })
    assert.equal((await postgresSchema(options())).fit, 'newer')
    await assert.rejects(migratePostgres(options()), { code: 'schema-newer' })
  })

  it('needs no right to change a schema that is up to date', async () => {
    await migratePostgres(options())
    const role = `r${new URL(database.url).pathname.slice(6, 20)}`
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'a b%&?/#'`)
    try {
      await database.query(`REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role};
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${role}`)
      const url = new URL(database.url)
      url.username = role
      url.password = ''
      await using store = await openStore(url.href, { password: 'a b%&?/#' })
      await store.check()
    } finally {
      await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })

  it('tells a mistake from a server that is away, and never the password', async () => {
    const refused = async (url: string, password?: string) => {
      const error: unknown = await openStore(url, password === undefined ? {} : { password }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      assert.ok(error instanceof Rejected || error instanceof Unavailable)
      assert.ok(!error.message.includes('secret'), error.message)
      return error
    }
    const url = new URL(database.url)
    url.pathname = '/none'
    assert.equal((await refused(url.href, 'secret')).code, 'store-login')
    assert.equal((await refused('mysql://x', 'secret')).code, 'store-url')
    assert.ok((await refused('postgres://:secret@[::', 'secret')) instanceof Rejected)
    url.port = '1'
    const away = await refused(url.href, 'secret')
    assert.ok(away instanceof Unavailable)
    assert.equal(away.code, 'store-unavailable')
  })
})
