import { randomUUID } from 'node:crypto'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Store } from '../../../src/ports/store.ts'
import type { Driver } from '../sql/driver.ts'
import {
  migrate,
  type Migrated,
  requireSchema,
  schemaState,
  type SchemaState,
  schemaVersion,
} from '../sql/migrate.ts'
import { MIGRATIONS } from '../sql/migrations.ts'
import { raw, sql } from '../sql/statement.ts'
import { createSqlStore } from '../sql/store.ts'
import { text } from '../sql/values.ts'
import { openConnections, type Limits, type Target } from './connections.ts'
import { POSTGRES } from './dialect.ts'
import { PostgresDriver } from './driver.ts'
import { openingError } from './errors.ts'
import { rowLeadership } from './leadership.ts'
import { rowHolding } from './row-holding.ts'
import { Wakes } from './wakes.ts'

export interface PostgresOptions {
  /** `postgres://user@host/database`; through pgbouncer in transaction mode, too. */
  readonly url: string
  /** In place of the URL's, for both URLs. */
  readonly password?: string
  /** The server itself, to be told what others write; without one, `url`. */
  readonly listenUrl?: string
  /** What the server lists the connections under; `longhaul` without one. */
  readonly applicationName?: string
  readonly clock: Clock
  readonly logger: Logger
}

const LIMITS: Limits = { connections: 10, connectMs: 5_000, statementMs: 10_000 }
/** Renewing and taking the lead: short, because the lease goes on running out. */
const LEAD_LIMITS: Limits = { connections: 2, connectMs: 2_000, statementMs: 1_500 }
/** A migration may build an index over a large table, and whoever comes behind it waits. */
const MIGRATION_LIMITS: Limits = { connections: 1, connectMs: 5_000, statementMs: 3_600_000 }

/**
 * Opens the store. Several processes may have it open, each with its own clock, which should not be
 * seconds apart.
 *
 * Where the schema is missing or older it is made first, unless `migrate` is false: then `Rejected`
 * (`schema-older`). Throws `Rejected` also with `schema-newer` (a newer release has written it, and this
 * one cannot live with that), `store-login` and `store-url`; `Unavailable` where there is no answer.
 */
export async function openPostgresStore(
  options: PostgresOptions & { readonly migrate?: boolean },
): Promise<Store> {
  const { listenUrl, clock, logger } = options
  const target = targetOf(options)
  await using opened = new AsyncDisposableStack()
  const connections = openConnections(target, LIMITS, logger)
  const listenTarget = { ...target, url: listenUrl ?? target.url }
  const wakes = new Wakes({ target: listenTarget, connections, clock, logger })
  const driver = opened.use(new PostgresDriver(connections, wakes))
  opened.use(wakes)
  try {
    await bringUpToDate(driver, options)
    await restoreOrder(driver)
    await wakes.tried
    const leadDriver = opened.use(
      new PostgresDriver(openConnections(target, LEAD_LIMITS, logger), wakes),
    )
    const owner = randomUUID()
    const store = await createSqlStore({
      driver,
      dialect: POSTGRES,
      holding: (topic) => rowHolding(driver, topic, { clock, owner }),
      leadership: rowLeadership({ driver: leadDriver, wakes, owner, clock, logger }),
      clock,
      logger,
    })
    const parts = opened.move()
    return { ...store, [Symbol.asyncDispose]: () => parts.disposeAsync() }
  } catch (error) {
    throw openingError(error)
  }
}

/** Makes the schema, or brings it to this release's version. Throws as opening the store does. */
export async function migratePostgres(options: PostgresOptions): Promise<Migrated> {
  const { logger } = options
  await using opened = new AsyncDisposableStack()
  const driver = opened.use(
    new PostgresDriver(openConnections(targetOf(options), MIGRATION_LIMITS, logger), SILENT),
  )
  try {
    return await migrate(driver, POSTGRES, options)
  } catch (error) {
    throw openingError(error)
  }
}

/** Writes nothing. Throws `Rejected` (`store-login`, `store-url`) or `Unavailable`. */
export async function postgresSchema(options: PostgresOptions): Promise<SchemaState> {
  const { logger } = options
  await using driver = new PostgresDriver(
    openConnections(targetOf(options), { ...LIMITS, connections: 1 }, logger),
    SILENT,
  )
  try {
    const found = await versionOf(driver)
    return await driver.read(() => schemaState(found))
  } catch (error) {
    throw openingError(error)
  }
}

/** Without the right to change the schema a program may still open one that is up to date. */
async function bringUpToDate(
  driver: Driver,
  options: PostgresOptions & { readonly migrate?: boolean },
): Promise<void> {
  if (options.migrate !== false && (await versionOf(driver)) < MIGRATIONS.length) {
    await migratePostgres(options)
  }
  await requireVersion(driver)
}

async function requireVersion(driver: Driver): Promise<void> {
  const found = await versionOf(driver)
  await driver.read(() => requireSchema(found))
}

function versionOf(driver: Driver): Promise<number> {
  return driver.read(function* () {
    const [table] = yield raw(`SELECT COALESCE(to_regclass('migrations')::TEXT, '') AS name`)
    return table && text(table, 'name') !== '' ? yield* schemaVersion() : 0
  })
}

/**
 * Transactions are numbered by the server. On one that was restored from a dump the numbers of before
 * mean nothing, and may be ahead: those events would be read by nobody, or after the new ones.
 */
function restoreOrder(driver: Driver): Promise<void> {
  return driver.write(function* () {
    yield sql`UPDATE events SET txid = 0
      WHERE txid >= ${raw('pg_snapshot_xmax(pg_current_snapshot())::TEXT::BIGINT')}`
  })
}

function targetOf({ url, password, applicationName = 'longhaul' }: PostgresOptions): Target {
  return { url, applicationName, ...(password !== undefined && { password }) }
}

const SILENT = {
  onWrite: () => () => undefined,
  wake: () => undefined,
  telling: () => '',
}
