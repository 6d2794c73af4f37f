import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, type QueryResultRow } from 'pg'
import { until } from './store.ts'
import { freePort } from './ports.ts'

const run = promisify(execFile)

/** A database of its own, empty; dropped with all its connections when disposed of. */
export interface Database extends AsyncDisposable {
  readonly url: string
  /** Runs a statement over a connection of its own. */
  query(statement: string, values?: readonly unknown[]): Promise<readonly QueryResultRow[]>
}

/** A server of the test's own, which it may kill. */
export interface PostgresServer extends AsyncDisposable {
  /** A superuser's. */
  readonly url: string
  readonly port: number
  kill(): Promise<void>
  start(): Promise<void>
}

export async function createDatabase(serverUrl: string): Promise<Database> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  await queryOnce(serverUrl, `CREATE DATABASE ${name}`)
  return {
    url: url.href,
    query: (statement, values) => queryOnce(url.href, statement, values),
    async [Symbol.asyncDispose]() {
      await queryOnce(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}

export async function queryOnce(
  url: string,
  statement: string,
  values: readonly unknown[] = [],
): Promise<readonly QueryResultRow[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<QueryResultRow>(statement, [...values])
    return rows
  } finally {
    await client.end()
  }
}

/** The folder of this machine's server programs. */
export async function findPrograms(): Promise<string | undefined> {
  const folders = ['/usr/lib/postgresql', '/usr/local/pgsql', '/opt/homebrew/opt']
  const candidates = [process.env['LONGHAUL_TEST_POSTGRES_BIN'] ?? '', await configured()]
  for (const folder of folders) {
    const versions = await readdir(folder).catch(() => [])
    candidates.push(
      ...versions
        .sort()
        .reverse()
        .map((version) => join(folder, version, 'bin')),
    )
    candidates.push(join(folder, 'bin'))
  }
  for (const candidate of candidates) {
    if (candidate === '') continue
    const server = await stat(join(candidate, 'initdb')).catch(() => undefined)
    if (server) return candidate
  }
  return undefined
}

async function configured(): Promise<string> {
  try {
    return (await run('pg_config', ['--bindir'])).stdout.trim()
  } catch {
    // It is not there: the known folders are looked through.
    return ''
  }
}

/** It refuses to run as root: then it runs as the user that its package has made. */
export async function startServer(programs: string): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-postgres-'))
  const user = process.getuid?.() === 0 ? await postgresUser() : undefined
  if (user) await chown(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const options = { ...user, env: { ...process.env, HOME: folder, LC_ALL: 'C' } }
  const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync']
  await run(join(programs, 'initdb'), init, options)
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let child: ChildProcess | undefined

  const kill = async () => {
    if (!child) return
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
    child = undefined
  }
  /** The children of a killed server notice it a little later, and hold its memory until then. */
  const start = () =>
    until(
      async () => {
        if (child?.exitCode !== null) {
          child = spawn(
            join(programs, 'postgres'),
            ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', ''].concat(
              ['max_connections=200', 'log_min_messages=fatal'].flatMap((is) => ['-c', is]),
            ),
            { ...options, stdio: ['ignore', 'ignore', 'ignore'] },
          )
        }
        return queryOnce(url, 'SELECT 1').then(
          () => true,
          () => false,
        )
      },
      'the database server answers',
      30_000,
    )
  const endWithProcess = () => child?.kill('SIGKILL')
  process.once('exit', endWithProcess)
  await start()
  return {
    url,
    port,
    kill,
    start,
    async [Symbol.asyncDispose]() {
      process.off('exit', endWithProcess)
      if (child) {
        const ended = once(child, 'close')
        child.kill('SIGINT')
        await ended
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export async function postgresUser(): Promise<{ readonly uid: number; readonly gid: number }> {
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout)
  return { uid: await id('-u'), gid: await id('-g') }
}
