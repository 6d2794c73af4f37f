import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Dockerd } from './dockerd.ts'

const PROGRAM = '/usr/bin/docker-registry'

/** Why no registry can be started on this machine; undefined where one can. */
export async function cannotRunRegistries(): Promise<string | undefined> {
  return await access(PROGRAM).then(
    () => undefined,
    () => `${PROGRAM} is not installed (Debian's docker-registry)`,
  )
}

/**
 * A real registry that one dockerd reaches, and nobody else: it is in that one's network namespace, where
 * every port is free. Over plain HTTP, which a dockerd takes from 127.0.0.0/8.
 */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:5000`, what the names of its images begin with. */
  readonly address: string
  /** Where what it holds stays; it answers nobody. */
  stop(): Promise<void>
  /** After a stop, with all that it held. */
  start(): Promise<void>
}

export async function openRegistry(
  dockerd: Dockerd,
  options: {
    readonly port: number
    /** Lines of `user:bcrypt`. Without it, everybody may pull and push. */
    readonly htpasswd?: string
  },
): Promise<Registry> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-registry-'))
  const address = `127.0.0.1:${options.port}`
  const config = join(folder, 'config.yml')
  const passwords = join(folder, 'htpasswd')
  const auth = { htpasswd: { realm: 'test', path: passwords } }
  // JSON is YAML as well.
  const settings = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: address },
    ...(options.htpasswd !== undefined && { auth }),
  }
  await writeFile(config, JSON.stringify(settings))
  await writeFile(passwords, options.htpasswd ?? '')
  let child: ChildProcess | undefined

  const stop = async (): Promise<void> => {
    if (child?.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  const start = async (): Promise<void> => {
    const dockerdPid = (await readFile(join(dockerd.folder, 'pid'), 'utf8')).trim()
    const inside = ['nsenter', `--net=/proc/${dockerdPid}/ns/net`, PROGRAM, 'serve', config]
    // It ends when the test's process does, however that ends.
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', ...inside], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child = started
    const said: string[] = []
    const listening = new Promise<'listening'>((resolve) => {
      createInterface({ input: started.stderr }).on('line', (line) => {
        if (line.includes(`listening on ${address}`)) resolve('listening')
        else if (started.exitCode === null) said.push(line)
      })
    })
    if ((await Promise.race([listening, once(started, 'exit')])) !== 'listening') {
      throw new Error(`the registry has ended: ${said.join('\n')}`)
    }
  }
  const discard = async (): Promise<void> => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  }

  try {
    await start()
  } catch (error) {
    await discard()
    throw error
  }
  return { address, stop, start, [Symbol.asyncDispose]: discard }
}
