import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  access,
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readdir,
  rm,
  symlink,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireOrSkip } from './services.ts'
import { until } from './store.ts'

const run = promisify(execFile)

/** The image that tasks of tests run in: busybox, with a link for each of its commands in /bin. */
export const TASK_IMAGE = 'busybox:1.36'

/** One dockerd with a data-root and a network namespace of its own, which is the manager of a one-node swarm. */
export interface Dockerd extends AsyncDisposable {
  readonly socket: string
  /** Its exec-root: `swarm/control.sock` is in it. */
  readonly execRoot: string
  /** Runs the docker command on it. */
  docker(...args: readonly string[]): Promise<string>
  kill(signal: NodeJS.Signals): Promise<void>
  /** After a kill: on the same folders. */
  start(): Promise<void>
}

/** Called in a `describe`: one for the whole run, started where it is first needed. */
export function useDockerd(): () => Dockerd {
  let dockerd: Dockerd | undefined
  before(async function () {
    this.timeout(120_000)
    const why = 'dockerd (docker.io), root and unshare are needed'
    requireOrSkip(this, 'Docker Swarm', await canRun(), why)
    opening ??= openDockerd()
    dockerd = await opening
  })
  return () => dockerd!
}

let opening: Promise<Dockerd> | undefined

// On the root suite: this file is loaded while no suite is being described.
after(async function () {
  this.timeout(60_000)
  await (await opening)?.[Symbol.asyncDispose]()
  opening = undefined
})

/** One of the caller's own: to be killed and started again. */
export async function openDockerd(): Promise<Dockerd> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-dockerd-'))
  const socket = join(folder, 'docker.sock')
  const execRoot = join(folder, 'exec')
  // A namespace of its own: no port, bridge or firewall rule meets those of another dockerd. It lasts as
  // long as its holder, so that a dockerd that is started again finds its containers' network.
  const holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { detached: true })
  let child: ChildProcess | undefined
  let gone: Promise<unknown> = Promise.resolve()

  const docker = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run('docker', ['-H', `unix://${socket}`, ...args], {
      env: { PATH: process.env['PATH'], HOME: folder },
      maxBuffer: 2 ** 26,
    })
    return stdout.trim()
  }
  const start = async (): Promise<void> => {
    await using log = await open(join(folder, 'log'), 'a')
    const script = `'${folder}/busybox' ip link set lo up && exec dockerd "$@"`
    // Of a containerd that was killed with its dockerd; while nobody has reaped it, it counts as alive.
    await rm(join(execRoot, 'containerd/containerd.pid'), { force: true })
    const flags = [
      `--data-root=${folder}/data`,
      `--exec-root=${execRoot}`,
      `--pidfile=${folder}/pid`,
      `--host=unix://${socket}`,
    ]
    const inside = [`--net=/proc/${holder.pid ?? 0}/ns/net`, 'sh', '-c', script, 'dockerd']
    child = spawn('nsenter', [...inside, ...flags], {
      stdio: ['ignore', log.fd, log.fd],
      // Ctrl-C at the test run must not reach it before the tests have ended.
      detached: true,
    })
    gone = once(child, 'exit')
    await until(() => docker('version').then(Boolean, () => false), 'dockerd answers', 60_000)
  }
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await gone
  }
  const running = () => child?.exitCode === null && child.signalCode === null
  const end = async (): Promise<void> => {
    try {
      if (!running()) await start()
      for (const service of (await docker('service', 'ls', '-q')).split('\n').filter(Boolean)) {
        await docker('service', 'rm', service)
      }
      await until(async () => (await docker('ps', '-aq')) === '', 'no container is left', 30_000)
    } finally {
      await discard()
    }
  }
  const discard = async (): Promise<void> => {
    await kill('SIGTERM')
    for (const pid of await processesOf(folder)) process.kill(pid, 'SIGKILL')
    holder.kill('SIGKILL')
    // A dockerd that was killed leaves its mounts.
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').toReversed()
    for (const mount of mounts.map((line) => line.split(' ')[1] ?? '')) {
      if (mount.startsWith(`${folder}/`)) await run('umount', ['-l', mount])
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }

  await copyFile(await busyboxBinary(folder), join(folder, 'busybox'))
  await chmod(join(folder, 'busybox'), 0o755)
  try {
    await start()
    await docker('swarm', 'init', '--advertise-addr', '127.0.0.1')
    await importTaskImage(folder, docker)
  } catch (error) {
    await discard()
    throw error
  }
  return { socket, execRoot, docker, kill, start, [Symbol.asyncDispose]: end }
}

/** What a dockerd that was killed has left running of its own folder: shims of containers. */
async function processesOf(folder: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return line.includes(`${folder}/`) && pid !== process.pid ? [pid] : []
    }),
  )
  return found.flat()
}

async function canRun(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false
  try {
    for (const program of ['dockerd', 'docker', 'unshare', 'nsenter']) {
      await run('which', [program])
    }
    return true
  } catch {
    return false
  }
}

/** A static one: the machine's own where there is one, else Debian's package, unpacked. */
async function busyboxBinary(folder: string): Promise<string> {
  const own = '/bin/busybox'
  try {
    await access(own)
    // Of a dynamic one ldd names the libraries, of a static one it says so and fails.
    await run('ldd', [own])
  } catch (error) {
    if (String((error as { stderr?: string }).stderr).includes('not a dynamic')) return own
  }
  const unpacked = join(folder, 'package')
  await mkdir(unpacked)
  await run('apt-get', ['download', '-qq', 'busybox-static'], { cwd: unpacked })
  const [file] = (await readdir(unpacked)).filter((name) => name.endsWith('.deb'))
  if (file === undefined) throw new Error('apt-get download brought no busybox-static')
  await run('dpkg-deb', ['-x', join(unpacked, file), unpacked])
  return join(unpacked, 'bin/busybox')
}

async function importTaskImage(folder: string, docker: Dockerd['docker']): Promise<void> {
  const root = join(folder, 'root')
  for (const name of ['bin', 'tmp', 'etc']) await mkdir(join(root, name), { recursive: true })
  await copyFile(join(folder, 'busybox'), join(root, 'bin/busybox'))
  await chmod(join(root, 'bin/busybox'), 0o755)
  const { stdout } = await run(join(folder, 'busybox'), ['--list'])
  for (const applet of stdout.split('\n').filter((one) => one !== '' && one !== 'busybox')) {
    await symlink('busybox', join(root, 'bin', applet))
  }
  const archive = join(folder, 'root.tar')
  await run('tar', ['-C', root, '-cf', archive, '.'])
  await docker('import', '-c', 'ENV PATH=/bin', archive, TASK_IMAGE)
}
