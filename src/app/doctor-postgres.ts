import { examinePostgres, type PostgresFacts } from '../../adapters/store/postgres/examine.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import { clockFinding, failedFinding, type Finding } from './doctor-finding.ts'
import { orStoreConfigError, postgresTarget } from './store-target.ts'

const PART = 'store'
const LEAST_MAJOR = 13

type PostgresConfig = Extract<DaemonConfig['store'], { kind: 'postgres' }>

/** Undefined where the server could not be looked at at all: `findings` say why then. */
export async function postgresFindings(
  { file }: DaemonConfig,
  store: PostgresConfig,
): Promise<{ readonly findings: readonly Finding[]; readonly answers: boolean }> {
  let facts: PostgresFacts | undefined
  try {
    const clock = await clockFinding(PART, async () => {
      facts = await orStoreConfigError(file, async () =>
        examinePostgres(await postgresTarget(file, store)),
      )
      return facts.now
    })
    if (facts === undefined) return { findings: [clock], answers: true }
    const findings = [version(facts), rights(facts), listening(facts, store), clock]
    return { findings, answers: true }
  } catch (error) {
    const remedy =
      'is `store.url` the database, can it be reached from here, and is the password here?'
    return { findings: [failedFinding(PART, 'postgres', error, remedy)], answers: false }
  }
}

function version({ version: said, major, readOnly }: PostgresFacts): Finding {
  const name = 'postgres'
  const message = `Postgres ${said}`
  if (major < LEAST_MAJOR) {
    const remedy = `Postgres ${LEAST_MAJOR} or newer is needed`
    return { part: PART, name, ok: false, message, remedy }
  }
  if (!readOnly) return { part: PART, name, ok: true, message }
  return {
    part: PART,
    name,
    ok: false,
    message: `${message}, which takes no writes`,
    remedy: 'name the primary in `store.url` (a standby and a read-only database take none)',
  }
}

function rights({ forbidden }: PostgresFacts): Finding {
  const name = 'permissions'
  if (forbidden.length === 0) {
    return { part: PART, name, ok: true, message: 'the user may do all that a daemon does' }
  }
  return {
    part: PART,
    name,
    ok: false,
    message: `the user may not read and write: ${forbidden.join(', ')}`,
    remedy: 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO the user',
  }
}

/** Without it a daemon asks every half second: slower and dearer, and no fault. */
function listening({ deaf }: PostgresFacts, { listenUrl }: PostgresConfig): Finding {
  const name = 'notifications'
  if (deaf === undefined) return { part: PART, name, ok: true, message: 'LISTEN works' }
  const told = `no LISTEN (${deaf}): the daemon asks every 500 ms instead`
  const ok = listenUrl === undefined
  const remedy = 'name the server itself in `store.listen_url`, not a pooler'
  return { part: PART, name, ok, message: told, remedy }
}
