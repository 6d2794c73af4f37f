import { requireOrSkip } from './services.ts'
import {
  createDatabase,
  type Database,
  findPrograms,
  type PostgresServer,
  queryOnce,
  startServer,
} from './postgres-server.ts'

export { createDatabase, queryOnce, type Database, type PostgresServer }

const WHY =
  'set LONGHAUL_TEST_POSTGRES_URL to a superuser\'s URL, or install the package "postgresql"'

let shared: Promise<PostgresServer> | undefined
after('ends the database server of the tests', async () => {
  await (await shared)?.[Symbol.asyncDispose]()
})

/** On the server of the environment, else on one that all tests of this run share; else the test is skipped. */
export async function freshDatabase(context: Mocha.Context): Promise<Database> {
  const given = process.env['LONGHAUL_TEST_POSTGRES_URL']
  if (given !== undefined) return createDatabase(given)
  const programs = await findPrograms()
  requireOrSkip(context, 'Postgres', programs !== undefined, WHY)
  shared ??= startServer(programs ?? '')
  return createDatabase((await shared).url)
}

/** From this machine's programs; without them the test is skipped. */
export async function ownServer(context: Mocha.Context): Promise<PostgresServer> {
  const programs = await findPrograms()
  requireOrSkip(context, 'programs of Postgres', programs !== undefined, WHY)
  return startServer(programs ?? '')
}
