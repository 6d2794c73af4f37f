import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './ports.ts'
import { postgresUser, queryOnce } from './postgres-server.ts'
import { requireOrSkip } from './services.ts'
import { until } from './store.ts'

/** A pooler in transaction mode before a database: a client's session is not the server's. */
export interface Pooler extends AsyncDisposable {
  /** The same database, through the pooler. */
  readonly url: string
}

/** Debian's place, which is not on everybody's PATH. */
const PLACES = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer']

/** Without a pgbouncer on this machine the test is skipped. */
export async function poolerBefore(databaseUrl: string, context: Mocha.Context): Promise<Pooler> {
  const program = await firstThere(PLACES)
  requireOrSkip(context, 'pgbouncer', program !== undefined, 'install the package "pgbouncer"')
  const server = new URL(databaseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-pgbouncer-'))
  const port = await freePort()
  const file = join(folder, 'pgbouncer.ini')
  const settings = [
    '[databases]',
    `* = host=${server.hostname} port=${server.port} user=${server.username}`,
    '[pgbouncer]',
    `listen_addr = 127.0.0.1`,
    `listen_port = ${port}`,
    'auth_type = any',
    'pool_mode = transaction',
    'default_pool_size = 30',
    'unix_socket_dir =',
  ]
  await writeFile(file, settings.join('\n'))
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? await postgresUser() : undefined
  if (user) for (const path of [folder, file]) await chown(path, user.uid, user.gid)
  const child = spawn(program ?? '', ['-q', file], { ...user, stdio: 'ignore' })
  const ended = once(child, 'exit')
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  server.port = String(port)
  await until(
    () =>
      queryOnce(server.href, 'SELECT 1').then(
        () => true,
        () => false,
      ),
    'the pooler answers',
    15_000,
  )
  return {
    url: server.href,
    async [Symbol.asyncDispose]() {
      process.off('exit', end)
      end()
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function firstThere(places: readonly string[]): Promise<string | undefined> {
  for (const place of places) {
    const there = await access(place).then(
      () => true,
      () => false,
    )
    if (there) return place
  }
  return promisify(execFile)('which', ['pgbouncer']).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  )
}
