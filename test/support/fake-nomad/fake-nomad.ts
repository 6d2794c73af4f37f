import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { denied, type Tokens } from './acl.ts'
import { Broker } from './broker.ts'
import { Client } from './client.ts'
import { Cluster } from './cluster.ts'
import { Evaluator } from './evaluator.ts'
import { Faults } from './faults.ts'
import { HttpSide } from './http.ts'
import { NodeLife } from './node-life.ts'
import { DEFAULT_NAMESPACE } from './objects.ts'
import type { Allocation, Node, TaskState } from './objects.ts'
import type { Room } from './placement.ts'
import type { Script } from './program.ts'
import { agentRoutes } from './routes/agent.ts'
import { allocationRoutes } from './routes/allocations.ts'
import { jobRoutes } from './routes/jobs.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { answered } from './routes/route.ts'
import { State } from './state.ts'
import type { ProgramEnd } from './task-events.ts'

export interface FakeNomadOptions {
  /** By name; one by default. */
  readonly nodes?: readonly string[]
  readonly drivers?: readonly string[]
  readonly room?: Room
  /** What changes on a node within so long is reported together: 200 ms in a real one. */
  readonly reportMs?: number
  /** Beside `default`. */
  readonly namespaces?: readonly string[]
  /** Where one is given, no call gets through without: this one may everything … */
  readonly token?: string
  /** … and each of these what is in one namespace. */
  readonly tokens?: Readonly<Record<string, { readonly namespace: string }>>
  /** The part of an allocation's task; where there is none, its command runs as a process. */
  readonly script?: (allocation: Allocation) => Script | undefined
}

/**
 * A Nomad 1.6.5 of one server and some nodes, in this process: it answers over HTTP, keeps state, and
 * behaves as the recordings say (test/fixtures/nomad) and, where they are silent, as the source of that
 * release does. Tasks are processes of this machine whatever their driver, so that they can write down
 * that they ran. Disposing ends them.
 */
export class FakeNomad implements AsyncDisposable {
  readonly state = new State()
  readonly broker = new Broker()
  readonly faults = new Faults()
  /** Those of Nomad's own, by path: a test puts in what it needs. */
  readonly variables = new Map<string, Readonly<Record<string, string>>>()
  readonly #room: Room
  readonly #evaluator: Evaluator
  readonly #cluster: Cluster
  readonly #nodes: NodeLife
  readonly #http: HttpSide
  readonly #clients = new Map<string, Client>()
  readonly #folder: string

  static async start(options: FakeNomadOptions = {}): Promise<FakeNomad> {
    const folder = await mkdtemp(join(tmpdir(), 'longhaul-fake-nomad-'))
    const nomad = new FakeNomad(folder, options)
    await nomad.#http.up()
    return nomad
  }

  private constructor(folder: string, options: FakeNomadOptions) {
    const { nodes = ['node1'], drivers = ['raw_exec', 'exec', 'docker'], reportMs = 200 } = options
    const { room = { cpuMhz: 1_000_000, memoryMb: 1_000_000 } } = options
    this.#folder = folder
    this.#room = room
    const { state, broker } = this
    state.onCommit((commit) => {
      broker.publish(commit)
    })
    this.#evaluator = new Evaluator(state, () => this.#room)
    this.#nodes = new NodeLife(state, this.#evaluator)
    this.#cluster = new Cluster(state, this.#evaluator, (node) => {
      this.#nodes.settled(node)
    })
    const cluster = this.#cluster
    const isReachable = (node: string) => this.#clients.get(node)?.attached === true
    const routes = [
      ...agentRoutes(broker, this.variables),
      ...jobRoutes({
        state,
        cluster,
        namespaces: new Set([DEFAULT_NAMESPACE, ...(options.namespaces ?? [])]),
      }),
      ...allocationRoutes({ state, cluster, folder, isReachable }),
      ...nodeRoutes(state, this.#nodes),
    ]
    const tokens: Tokens = new Map<string, { readonly namespace?: string }>([
      ...(options.token === undefined ? [] : [[options.token, {}] as const]),
      ...Object.entries(options.tokens ?? {}),
    ])
    this.#http = new HttpSide(async (request, response) => {
      const fault = this.faults.of(request) ?? denied(request, tokens, state)
      return fault ?? (await answered(routes, request, response))
    })
    for (const name of nodes) {
      const { ID: node } = this.#nodes.join(name, drivers)
      const report = (reports: Parameters<Cluster['report']>[1]) => {
        this.#cluster.report(node, reports)
      }
      const scriptOf = options.script ?? (() => undefined)
      const client = new Client({ node, state, folder, reportMs, scriptOf, report })
      this.#clients.set(node, client)
    }
  }

  get address(): string {
    return this.#http.address
  }

  /** Method, path and query of each request, in order. */
  get asked(): readonly string[] {
    return this.#http.asked
  }

  /** The first one where no name is given. */
  node(name?: string): Node {
    const all = [...this.state.nodes.values()]
    const found = name === undefined ? all[0] : all.find(({ Name }) => Name === name)
    if (found === undefined) throw new Error(`there is no node ${name ?? ''}`)
    return found
  }

  /** The job's allocations, oldest first; `job`: its `jobKey`. */
  allocationsOf(job: string): readonly Allocation[] {
    return this.state.allocationsOf(job).toSorted((a, b) => a.CreateIndex - b.CreateIndex)
  }

  /** Its programs go on, and nobody hears of them. */
  lose(name?: string): void {
    const { ID } = this.node(name)
    this.#client(ID).detach()
    this.#nodes.missed(ID)
  }

  /** Its programs end with it, at once. */
  async powerOff(name?: string): Promise<void> {
    const { ID } = this.node(name)
    await this.#client(ID).powerOff()
    this.#nodes.missed(ID)
  }

  async bringBack(name?: string): Promise<void> {
    const { ID } = this.node(name)
    await this.#nodes.back(ID, () => this.#client(ID).attach())
  }

  drain(name: string | undefined, deadlineMs: number): void {
    this.#nodes.drain(this.node(name).ID, deadlineMs)
  }

  setEligible(name: string | undefined, eligible: boolean): void {
    this.#nodes.eligible(this.node(name).ID, eligible)
  }

  /** By an operator. */
  stopAllocation(allocation: Allocation): void {
    this.#cluster.stop(this.#now(allocation))
  }

  preempt(allocation: Allocation): void {
    this.#cluster.preempt(this.#now(allocation), '00000000-0000-0000-0000-000000000000')
  }

  /** By somebody else. */
  deregister(job: string, { purge = false } = {}): void {
    this.#cluster.deregister(job, purge)
  }

  /** How its task stands on its node, whoever knows of it; undefined where it was never there. */
  taskOn({ ID, NodeID }: Allocation): TaskState | undefined {
    return this.#client(NodeID).taskOf(ID)
  }

  /** Ends what a script plays. */
  end(allocation: Allocation, how: ProgramEnd): void {
    this.#client(allocation.NodeID).end(allocation.ID, how)
  }

  /** The agent goes. Nodes and their programs go on. */
  async down(): Promise<void> {
    await this.#http.down()
  }

  /** It comes back at its address; of what was before its snapshot no event is told any more. */
  async up(): Promise<void> {
    this.broker.forget()
    await this.#http.up()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#nodes.dispose()
    await this.#http.down()
    for (const client of this.#clients.values()) await client[Symbol.asyncDispose]()
    await this.#evaluator.idle()
    await rm(this.#folder, { recursive: true, force: true })
    this.#http.assertSound()
  }

  #client(node: string): Client {
    const client = this.#clients.get(node)
    if (client === undefined) throw new Error(`there is no client on ${node}`)
    return client
  }

  #now({ ID }: Allocation): Allocation {
    const allocation = this.state.allocations.get(ID)
    if (allocation === undefined) throw new Error(`there is no allocation ${ID}`)
    return allocation
  }
}
