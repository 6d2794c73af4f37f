import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  access,
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  open,
  realpath,
  rename,
  rm,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './store.ts'

const run = promisify(execFile)
const STAND_INS = join(import.meta.dirname, '../fixtures/images')

/** Kept from one run to the next: what debootstrap made, and the layers of what was built on it. */
const CACHE = join(tmpdir(), 'longhaul-images')
const DEBIAN = 'longhaul-test/debian'

/**
 * Published images, where a registry can be reached: `LONGHAUL_TEST_NODE_IMAGE` and its like name them.
 * Else each has a stand-in that is made here.
 */
const BASES = ['node', 'rabbitmq', 'postgres'] as const
type Base = (typeof BASES)[number]

/** A dockerd in the machine's own network, which builds images and runs nothing else. */
export interface ImageBuilder extends AsyncDisposable {
  /** The name of an image of this kind, built or pulled. */
  base(which: Base): Promise<string>
  /** `docker build`. */
  build(tag: string, folder: string, ...args: readonly string[]): Promise<void>
  /** Puts images into another dockerd. */
  load(socket: string, ...images: readonly string[]): Promise<void>
}

/** Why no images can be built on this machine; undefined where they can. */
export async function cannotBuild(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'dockerd must be started by root'
  const programs = ['dockerd', 'docker', 'flock', 'setpriv', 'tar']
  if (BASES.some((base) => publishedName(base) === undefined)) programs.push('debootstrap', 'npm')
  for (const program of programs) {
    try {
      await run('which', [program])
    } catch {
      return `${program} is not installed`
    }
  }
  return undefined
}

/** Waits for its turn: its folder belongs to one at a time. */
export async function openImageBuilder(): Promise<ImageBuilder> {
  await mkdir(CACHE, { recursive: true })
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-builder-'))
  const socket = join(folder, 'docker.sock')
  await using log = await open(join(folder, 'log'), 'a')
  // It ends with this process, however that ends, and the lock with it. No bridge and no firewall rule:
  // it shares the machine's network.
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'TERM', 'flock', '--no-fork', join(CACHE, 'lock')],
      ...['dockerd', `--host=unix://${socket}`],
      ...[`--data-root=${CACHE}/docker`, `--exec-root=${folder}/exec`, `--pidfile=${folder}/pid`],
      ...['--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'],
    ],
    { stdio: ['ignore', log.fd, log.fd], detached: true },
  )
  const exited = once(child, 'exit')
  const docker = async (...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, HOME: folder, DOCKER_BUILDKIT: '0' }
    const { stdout } = await run('docker', ['-H', `unix://${socket}`, ...args], {
      env,
      maxBuffer: 2 ** 26,
    })
    return stdout
  }
  const build: ImageBuilder['build'] = async (tag, context, ...args) => {
    const all = ['build', '--network=host', '--tag', tag, ...args, context]
    // A package registry that does not answer for once is not what is tested. What is built stays built.
    await docker(...all).catch(() => docker(...all))
  }
  const end = async (): Promise<void> => {
    // Stages of builds have no name; those of last week are not built on any more.
    await docker('image', 'prune', '--force', '--filter', 'until=168h').catch(() => undefined)
    child.kill('SIGTERM')
    await exited
    // It leaves the network that its builds ran in mounted.
    await run('umount', [join(folder, 'exec/netns/default')]).catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await until(() => docker('version').then(Boolean, () => false), 'dockerd answers', 300_000)
  } catch (error) {
    await end()
    throw error
  }
  return {
    build,
    async base(which) {
      const published = publishedName(which)
      if (published !== undefined) {
        await docker('pull', published)
        return published
      }
      await haveDebian(docker)
      const context = join(folder, which)
      await cp(join(STAND_INS, which), context, { recursive: true })
      if (which === 'node') await addNode(context)
      const tag = `longhaul-test/${which}`
      await build(tag, context)
      return tag
    },
    async load(to, ...images) {
      const from = ['-H', `unix://${socket}`, 'save', ...images]
      const script = 'docker "$@" | docker -H "$TO" load'
      await run('sh', ['-c', script, 'sh', ...from], {
        env: { ...process.env, TO: `unix://${to}` },
      })
    },
    [Symbol.asyncDispose]: end,
  }
}

function publishedName(base: Base): string | undefined {
  return process.env[`LONGHAUL_TEST_${base.toUpperCase()}_IMAGE`]
}

/** Debian by debootstrap, trusting the certificates that this machine trusts. */
async function haveDebian(docker: (...args: readonly string[]) => Promise<string>): Promise<void> {
  const archive = join(CACHE, 'debian.tar')
  if (!(await isThere(archive))) {
    const folder = join(CACHE, 'debian')
    await rm(folder, { recursive: true, force: true })
    const options = ['--variant=minbase', '--include=ca-certificates', 'bookworm', folder]
    await run('debootstrap', options, { maxBuffer: 2 ** 26 })
    const certificates = 'etc/ssl/certs/ca-certificates.crt'
    await copyFile(join('/', certificates), join(folder, certificates))
    await rm(join(folder, 'var/cache/apt/archives'), { recursive: true })
    await run('tar', ['-C', folder, '-cf', `${archive}.part`, '.'])
    await rename(`${archive}.part`, archive)
    await rm(folder, { recursive: true })
  }
  // Imported anew, it would be another image and nothing built on it would be found again.
  if ((await docker('image', 'ls', '-q', DEBIAN)) !== '') return
  const trust = 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt'
  await docker('import', '-c', trust, archive, DEBIAN)
}

/** The Node that runs this, and the npm of its PATH. */
async function addNode(context: string): Promise<void> {
  await copyFile(process.execPath, join(context, 'node'))
  await chmod(join(context, 'node'), 0o755)
  const { stdout } = await run('which', ['npm'])
  const npm = dirname(dirname(await realpath(stdout.trim())))
  await cp(npm, join(context, 'npm'), { recursive: true })
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
