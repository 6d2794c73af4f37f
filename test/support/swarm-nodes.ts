import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { type Engine, openEngine } from './engine.ts'
import { until } from './store.ts'
import { TASK_IMAGE, taskImageArchive } from './task-image.ts'

const run = promisify(execFile)

/** A network that is nobody's: none of Docker's own pools of addresses holds it. */
const NETWORK = '198.18.0'
/**
 * How long is waited for what a swarm does; never the thing tested. A manager whose cable is back is heard
 * of only when TCP sends again what got no answer, up to two minutes later (`TCP_RTO_MAX`); what waits for
 * that pauses up to a minute itself.
 */
export const LIMIT_MS = 240_000

/** One machine of a swarm. Its socket can always be reached from the test, whatever is done to its network. */
export class SwarmNode {
  readonly name: string
  readonly engine: Engine
  readonly address: string
  /** Its end of the cable, in the network of the switch. */
  readonly #port: string
  readonly #switch: number

  constructor(name: string, engine: Engine, n: number, switchPid: number) {
    this.name = name
    this.engine = engine
    this.address = `${NETWORK}.${n}`
    this.#port = `port${n}`
    this.#switch = switchPid
  }

  docker(...args: readonly string[]): Promise<string> {
    return this.engine.docker(...args)
  }

  /** Pulls the cable: no packet comes or goes, and nobody is told. */
  async cutOff(): Promise<void> {
    await inNetwork(this.#switch, 'ip', 'link', 'set', this.#port, 'down')
  }

  async plugIn(): Promise<void> {
    await inNetwork(this.#switch, 'ip', 'link', 'set', this.#port, 'up')
  }

  /** Between the switch and this node, once. */
  async wire(): Promise<void> {
    const port = this.#port
    const pid = String(this.engine.holder)
    const cable = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', pid]
    await inNetwork(this.#switch, 'ip', 'link', 'add', port, ...cable)
    await inNetwork(this.#switch, 'ip', 'link', 'set', port, 'master', 'switch', 'up')
    const own = (...args: readonly string[]) => inNetwork(this.engine.holder, 'ip', ...args)
    await own('address', 'add', `${this.address}/24`, 'dev', 'eth0')
    await own('link', 'set', 'eth0', 'up')
  }
}

/** A real swarm of several machines, each a dockerd with a host name and a network of its own. */
export class SwarmNodes implements AsyncDisposable {
  readonly managers: readonly SwarmNode[]
  readonly workers: readonly SwarmNode[]
  readonly #opened: AsyncDisposableStack

  private constructor(
    managers: readonly SwarmNode[],
    workers: readonly SwarmNode[],
    opened: AsyncDisposableStack,
  ) {
    this.managers = managers
    this.workers = workers
    this.#opened = opened
  }

  /** The managers are called m1, m2 …, the workers w1 …; the first manager leads. */
  static async open(options: {
    readonly managers: number
    readonly workers: number
    /** A node is down when three of these have passed without a word of it, six after a change of the leader. */
    readonly heartbeat: string
  }): Promise<SwarmNodes> {
    await using opened = new AsyncDisposableStack()
    const switchPid = await openSwitch(opened)
    const names = [
      ...Array.from({ length: options.managers }, (_, i) => `m${i + 1}`),
      ...Array.from({ length: options.workers }, (_, i) => `w${i + 1}`),
    ]
    const nodes: SwarmNode[] = []
    for (const [i, name] of names.entries()) {
      const engine = opened.use(await openEngine(name))
      const node = new SwarmNode(name, engine, i + 1, switchPid)
      await node.wire()
      nodes.push(node)
    }
    const [first, ...others] = nodes
    if (first === undefined) throw new Error('a swarm has a manager')
    const init = ['--advertise-addr', first.address, '--dispatcher-heartbeat', options.heartbeat]
    await first.docker('swarm', 'init', ...init)
    for (const [i, node] of others.entries()) {
      const role = i + 1 < options.managers ? 'manager' : 'worker'
      await join(node, first, role)
    }
    const archive = await taskImageArchive(first.engine.folder)
    for (const node of nodes) {
      await node.docker('import', '-c', 'ENV PATH=/bin', archive, TASK_IMAGE)
    }
    const managers = nodes.slice(0, options.managers)
    return new SwarmNodes(managers, nodes.slice(options.managers), opened.move())
  }

  get nodes(): readonly SwarmNode[] {
    return [...this.managers, ...this.workers]
  }

  /** A node by its name. */
  node(name: string): SwarmNode {
    const found = this.nodes.find((node) => node.name === name)
    if (found === undefined) throw new Error(`there is no node ${name}`)
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Their orderly end would have each wait for the others.
    await Promise.all(this.nodes.map(({ engine }) => engine.kill('SIGKILL')))
    await this.#opened.disposeAsync()
  }
}

/** As `docker swarm join-token` says it. */
export async function join(
  node: SwarmNode,
  manager: SwarmNode,
  role: 'manager' | 'worker',
): Promise<void> {
  const token = await manager.docker('swarm', 'join-token', '-q', role)
  const own = ['--advertise-addr', node.address]
  await node.docker('swarm', 'join', '--token', token, ...own, `${manager.address}:2377`)
}

/** Resolves when a manager says this of a node, by a template over `docker node inspect`. */
export async function untilNode(
  asked: SwarmNode,
  name: string,
  template: string,
  is: string,
): Promise<void> {
  const said = () =>
    asked.docker('node', 'inspect', '--format', template, name).catch(() => undefined)
  await until(async () => (await said()) === is, `node ${name}: ${template} is ${is}`, LIMIT_MS)
}

/** A network namespace with a bridge that every node is wired to. */
async function openSwitch(opened: AsyncDisposableStack): Promise<number> {
  const holding = ['--net', 'sh', '-c', 'echo here; exec sleep infinity']
  const holder = spawn('unshare', holding, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  opened.defer(() => {
    holder.kill('SIGKILL')
  })
  await once(holder.stdout, 'data')
  const pid = holder.pid ?? 0
  await inNetwork(pid, 'ip', 'link', 'add', 'switch', 'type', 'bridge')
  await inNetwork(pid, 'ip', 'link', 'set', 'switch', 'up')
  return pid
}

async function inNetwork(pid: number, ...command: readonly string[]): Promise<void> {
  await run('nsenter', [`--net=/proc/${pid}/ns/net`, ...command])
}
