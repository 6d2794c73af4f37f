import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'

/** In the checkout the sources run as they are; in the package, what was built from them. */
const EXTENSION = extname(import.meta.filename)
const BESIDE = join(import.meta.dirname, '../..')
const ROOT = EXTENSION === '.ts' ? BESIDE : join(BESIDE, '..')
const MAIN = join(BESIDE, `src/cli/main${EXTENSION}`)
const EXAMPLE = join(BESIDE, 'examples/demo')
const START_LIMIT_MS = 15_000
/** Everything together: four stories of seconds each. */
const LIMIT_MS = 60_000

/**
 * Shows what Longhaul does, for real, in a folder of its own that is gone afterwards: a daemon and an
 * application, each a process of its own. Gives the exit code.
 */
export async function runDemo(print: (text: string) => void): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-demo-'))
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  const interrupted = new AbortController()
  const onSignal = () => {
    interrupted.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, onSignal)
    cleanup.defer(() => void process.off(signal, onSignal))
  }
  const limit = AbortSignal.any([interrupted.signal, AbortSignal.timeout(LIMIT_MS)])

  const config = join(folder, 'longhaul.yml')
  const tasks = join(ROOT, 'examples/demo/tasks')
  await writeFile(config, stringify({ data: 'data', tasks, http: { listen: '127.0.0.1:0' } }))
  print(
    'Starting a daemon with everything embedded: SQLite as store and bus, processes as tasks.\n',
  )
  // The task type says `node`: that must be this one, whatever the machine's own is.
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`
  const daemon = spawn(process.execPath, [MAIN, 'run', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      PATH: path,
      LONGHAUL_LOG: 'info',
      COMPRESS: join(EXAMPLE, `compress${EXTENSION}`),
    },
  })
  cleanup.defer(() => end(daemon))
  const url = await listening(daemon)

  const application = spawn(
    process.execPath,
    [
      join(EXAMPLE, `application${EXTENSION}`),
      ...['--url', url],
      ...['--source', await realFile()],
      ...['--folder', folder],
    ],
    { stdio: 'inherit' },
  )
  cleanup.defer(() => end(application))
  const [code] = (await once(application, 'exit', { signal: limit }).catch(() => [1])) as [number]
  return code
}

/** Something of a size that takes seconds to compress; the package comes without its lock file. */
async function realFile(): Promise<string> {
  const lock = join(ROOT, 'package-lock.json')
  return access(lock).then(
    () => lock,
    () => join(ROOT, 'schema/task-type.schema.json'),
  )
}

/** The daemon's URL, as it logs it; what else it says is shown only where it does not come up. */
async function listening(daemon: ChildProcess): Promise<string> {
  const said: string[] = []
  const timeout = AbortSignal.timeout(START_LIMIT_MS)
  const lines = createInterface({ input: daemon.stderr ?? process.stdin, signal: timeout })
  for await (const line of lines) {
    said.push(line)
    const url = /"url":"([^"]+)"/.exec(line)?.[1]
    if (url !== undefined) {
      daemon.stderr?.resume()
      return url
    }
  }
  throw new Error(`the daemon did not come up:\n${said.join('\n')}`)
}

/** Asks it to end, and waits until it has. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
