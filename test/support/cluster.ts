import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Installation } from './daemon.ts'
import { startProxy, type Proxy } from './proxy.ts'
import { until } from './store.ts'
import { workType } from './work.ts'

const PROGRAMS = join(import.meta.dirname, '../fixtures/programs')

/** One daemon of several, with a network of its own to each service. */
export interface Replica {
  readonly name: string
  readonly daemon: Installation
  readonly toStore: Proxy
  /** Absent where the bus is embedded. */
  readonly toBroker?: Proxy
}

interface Services {
  readonly store: string
  /** Without one the bus is embedded. */
  readonly broker?: string
  readonly queue?: string
}

/**
 * Several daemons over the same services and, because their tasks are processes of this machine, the
 * same data folder. Their task type is `work`.
 */
export class Cluster implements AsyncDisposable {
  readonly folder: string
  readonly replicas: readonly Replica[]
  /** What the tasks' programs, the sender and the subscriber have written. */
  readonly files: { readonly ran: string; readonly sent: string; readonly heard: string }

  private constructor(folder: string, replicas: readonly Replica[], files: Cluster['files']) {
    this.folder = folder
    this.replicas = replicas
    this.files = files
  }

  static async make(count: number, services: Services): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'longhaul-several-'))
    const files = {
      ran: join(folder, 'ran'),
      sent: join(folder, 'sent'),
      heard: join(folder, 'got'),
    }
    const replicas: Replica[] = []
    for (let n = 1; n <= count; n += 1) {
      replicas.push(await makeReplica(`replica-${n}`, folder, services))
    }
    await replicas[0]?.daemon.writeType('work', workType(files.ran))
    return new Cluster(folder, replicas, files)
  }

  /** Starts all that do not run. */
  async start(): Promise<void> {
    await Promise.all(
      this.replicas.map(async (replica) => {
        if (!replica.daemon.running) await startReplica(replica)
      }),
    )
  }

  /** The latest to have taken the lead, once somebody has. */
  async leader(): Promise<Replica> {
    await this.nextLeader(0)
    const newest = this.replicas.toSorted((a, b) => epochOf(b) - epochOf(a))[0]
    if (newest === undefined) throw new Error('there is no replica')
    return newest
  }

  /** The epoch of the lead, by the daemons' own words. */
  get epoch(): number {
    return Math.max(0, ...this.replicas.map(epochOf))
  }

  /** Resolves when somebody has taken the lead after this epoch. */
  async nextLeader(epoch: number, limitMs = 30_000): Promise<void> {
    await until(() => this.epoch > epoch, `somebody leads after epoch ${epoch}`, limitMs)
  }

  /** One that answers. */
  get anyone(): Installation {
    const found = this.replicas.find(({ daemon }) => daemon.running)
    if (found === undefined) throw new Error('no daemon runs')
    return found.daemon
  }

  /** The last words of each, for a person who looks for the cause. */
  get lastWords(): string {
    return this.replicas
      .map(({ name, daemon }) => `${name}:\n${daemon.lines.slice(-20).join('\n')}`)
      .join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { daemon, toStore, toBroker } of this.replicas) {
      await daemon[Symbol.asyncDispose]()
      await toStore[Symbol.asyncDispose]()
      await toBroker?.[Symbol.asyncDispose]()
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
}

export async function startReplica({ name, daemon }: Replica): Promise<void> {
  const result = await daemon.start({ LONGHAUL_LOG: 'info' })
  if (result === 'started') return
  throw new Error(`${name} ended with ${result}: ${daemon.lines.slice(-5).join('\n')}`)
}

async function makeReplica(name: string, folder: string, services: Services): Promise<Replica> {
  const [toStore, storeUrl] = await through(services.store)
  const [toBroker, brokerUrl] = services.broker ? await through(services.broker) : []
  const daemon = await Installation.make(
    {},
    {
      data: join(folder, 'data'),
      tasks: join(folder, 'replica-1', 'config', 'tasks'),
      store: { kind: 'postgres', url: storeUrl },
      bus: brokerUrl
        ? { kind: 'rabbitmq', url: brokerUrl, queue: services.queue }
        : { kind: 'embedded' },
    },
    join(folder, name),
  )
  return { name, daemon, toStore, ...(toBroker && { toBroker }) }
}

/** The same address, but through a network of the test's own. */
async function through(url: string): Promise<readonly [Proxy, string]> {
  const address = new URL(url)
  const proxy = await startProxy(Number(address.port))
  address.port = String(proxy.port)
  return [proxy, address.href]
}

function epochOf({ daemon }: Replica): number {
  const taken = daemon.lines.findLast((line) => line.includes('"lead.taken"'))
  return taken === undefined ? 0 : (JSON.parse(taken) as { epoch: number }).epoch
}

/** A program of the fixtures, which ends with the test. */
export function runProgram(program: string, ...args: readonly string[]): Program {
  const child = spawn(process.execPath, [join(PROGRAMS, program), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit').then(([code]) => (code as number | null) ?? -1)
  return {
    child,
    exited,
    async ready() {
      await once(child.stdout, 'data')
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

export interface Program extends AsyncDisposable {
  readonly child: ChildProcess
  readonly exited: Promise<number>
  /** Resolves at its first word. */
  ready(): Promise<void>
}
