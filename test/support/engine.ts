import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './store.ts'
import { placeBusybox } from './task-image.ts'

const run = promisify(execFile)

/** It ends when the test's process does, however that ends. */
const WITH_US = ['--pdeathsig', 'TERM']

/** One dockerd with folders, a network namespace and a host name of its own. It is in no swarm. */
export interface Engine extends AsyncDisposable {
  readonly folder: string
  readonly socket: string
  /** Its exec-root: `swarm/control.sock` is in it. */
  readonly execRoot: string
  /** A process in its namespaces, which lasts as long as this. */
  readonly holder: number
  /** Runs the docker command on it. */
  docker(...args: readonly string[]): Promise<string>
  kill(signal: NodeJS.Signals): Promise<void>
  /** Everything of it ends at once, containers included, and nobody can tell anybody. */
  powerOff(): Promise<void>
  /** After a kill or a loss of power: on the same folders. */
  start(): Promise<void>
}

/** Why no dockerd can be started on this machine; undefined where one can. */
export async function cannotRunEngines(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'dockerd must be started by root'
  for (const program of ['dockerd', 'docker', 'unshare', 'nsenter', 'setpriv', 'hostname']) {
    try {
      await run('which', [program])
    } catch {
      return `${program} is not installed`
    }
  }
  return undefined
}

export async function openEngine(hostname?: string): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-dockerd-'))
  const socket = join(folder, 'docker.sock')
  const execRoot = join(folder, 'exec')
  // A namespace of its own: no port, bridge or firewall rule meets those of another dockerd. It lasts as
  // long as its holder, so that a dockerd that is started again finds its containers' network.
  const naming = hostname === undefined ? [] : ['hostname "$1" &&']
  const holding = [...naming, 'echo here; exec sleep infinity'].join(' ')
  const held = ['unshare', '--net', '--uts', 'sh', '-c', holding, 'sh', hostname ?? '']
  const holder = spawn('setpriv', [...WITH_US, ...held], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  const pid = holder.pid ?? 0
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
    const namespaces = [`--net=/proc/${pid}/ns/net`, `--uts=/proc/${pid}/ns/uts`]
    const inside = ['nsenter', ...namespaces, 'sh', '-c', script, 'dockerd', ...flags]
    child = spawn('setpriv', [...WITH_US, ...inside], {
      stdio: ['ignore', log.fd, log.fd],
      // Ctrl-C at the test run must not reach it before the tests have ended.
      detached: true,
    })
    gone = once(child, 'exit')
    await until(() => docker('version').then(Boolean, () => false), 'dockerd answers', 60_000)
  }
  const running = () => child?.exitCode === null && child.signalCode === null
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (!running()) return
    child?.kill(signal)
    await gone
  }
  const powerOff = async (): Promise<void> => {
    await kill('SIGKILL')
    // Whoever might tell of the containers' end goes before them.
    await killAll(await processesOf(folder))
    await killAll(await firstProcesses(execRoot))
    await unmountBelow(execRoot)
    await rm(execRoot, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
  const discard = async (): Promise<void> => {
    await kill('SIGTERM')
    await killAll(await processesOf(folder))
    await killAll(await firstProcesses(execRoot))
    holder.kill('SIGKILL')
    // A dockerd that was killed leaves its mounts.
    await unmountBelow(folder)
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }

  try {
    await placeBusybox(folder)
    await start()
  } catch (error) {
    await discard()
    throw error
  }
  return {
    folder,
    socket,
    execRoot,
    holder: pid,
    docker,
    kill,
    powerOff,
    start,
    [Symbol.asyncDispose]: discard,
  }
}

/** What a dockerd that was killed has left running of its own folder: containerd, and shims of containers. */
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

/** The first process of each container, with which all of the others end. */
async function firstProcesses(execRoot: string): Promise<readonly number[]> {
  const tasks = join(execRoot, 'containerd/daemon/io.containerd.runtime.v2.task/moby')
  const ids = await readdir(tasks).catch(() => [])
  const pids = await Promise.all(
    ids.map((id) => readFile(join(tasks, id, 'init.pid'), 'utf8').catch(() => '')),
  )
  return pids.map(Number).filter((pid) => pid > 0)
}

async function killAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  const alive = (pid: number) => readFile(`/proc/${pid}/stat`, 'utf8').then(isNoZombie, () => false)
  const left = async () => (await Promise.all(pids.map(alive))).includes(true)
  await until(async () => !(await left()), 'what was killed is gone', 30_000)
}

function isNoZombie(stat: string): boolean {
  return !/^\d+ \(.*\) Z/s.test(stat)
}

async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').toReversed()
  for (const mount of mounts.map((line) => line.split(' ')[1] ?? '')) {
    if (mount.startsWith(`${folder}/`)) await run('umount', ['-l', mount])
  }
}
