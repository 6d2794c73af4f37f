import { randomUUID } from 'node:crypto'
import type { JsonObject } from '../../../src/core/json.ts'
import { NO_TRANSITION } from './allocations.ts'
import { newEvaluation, type NewEvaluation } from './evaluations.ts'
import type { Evaluator } from './evaluator.ts'
import { groupOf, isTerminal, keyOf, nanoseconds } from './objects.ts'
import type { Allocation, Node } from './objects.ts'
import type { State } from './state.ts'

/** What the servers make of nodes that come, go and are drained. */
export class NodeLife {
  readonly #state: State
  readonly #evaluator: Evaluator
  readonly #deadlines = new Map<string, NodeJS.Timeout>()

  constructor(state: State, evaluator: Evaluator) {
    this.#state = state
    this.#evaluator = evaluator
  }

  join(name: string, drivers: readonly string[]): Node {
    const node = newNode(name, drivers)
    this.#state.commit('NodeRegistration', (tx) => {
      tx.node(node)
    })
    return this.#node(node.ID)
  }

  /** Its heartbeats are missed (nomad/heartbeat.go): it is waited for where one of its jobs bears that. */
  missed(id: string): void {
    const bears = this.#allocationsOn(id).some(
      ({ DesiredStatus, Job: job }) =>
        DesiredStatus === 'run' && groupOf(job).MaxClientDisconnect !== null,
    )
    this.#become(id, { Status: bears ? 'disconnected' : 'down' }, (LastMissedHeartbeatIndex) => ({
      LastMissedHeartbeatIndex,
    }))
    this.#evaluateAll(id)
  }

  /**
   * It registers again, and is ready: one that was waited for only after it has said what became of its
   * allocations, which `report` has it do.
   */
  async back(id: string, report: () => Promise<void>): Promise<void> {
    const waitedFor = this.#node(id).Status === 'disconnected'
    this.#registered(id)
    this.#evaluateAll(id)
    await this.#evaluator.idle()
    if (waitedFor) {
      this.#become(id, { Status: 'initializing' })
      this.#evaluateAll(id)
      await this.#evaluator.idle()
      await report()
      await this.#evaluator.idle()
    }
    this.#become(id, { Status: 'ready', LastMissedHeartbeatIndex: 0 })
    this.#evaluator.unblock()
    this.#evaluateAll(id)
    await this.#evaluator.idle()
    if (!waitedFor) await report()
    this.#registered(id)
  }

  /** Batch jobs may end what they do until the deadline, and are migrated then (nomad/drainer). */
  drain(id: string, deadlineMs: number): number {
    const now = new Date()
    const StartedAt = now.toISOString()
    const index = this.#drained(id, {
      Drain: true,
      SchedulingEligibility: 'ineligible',
      DrainStrategy: {
        Deadline: deadlineMs * 1_000_000,
        ForceDeadline: new Date(now.getTime() + deadlineMs).toISOString(),
        IgnoreSystemJobs: false,
        StartedAt,
      },
      LastDrain: { ...NO_DRAIN, StartedAt, Status: 'draining', UpdatedAt: StartedAt },
    })
    const over = () => {
      this.#deadline(id)
    }
    this.#deadlines.set(id, setTimeout(over, Math.max(0, deadlineMs)))
    this.settled(id)
    return index
  }

  /** The drain is over, or the node is only to take nothing new. */
  eligible(id: string, eligible: boolean): { readonly index: number; readonly ids: string[] } {
    clearTimeout(this.#deadlines.get(id))
    this.#deadlines.delete(id)
    const index = this.#drained(id, {
      Drain: false,
      DrainStrategy: null,
      SchedulingEligibility: eligible ? 'eligible' : 'ineligible',
    })
    if (!eligible) return { index, ids: [] }
    this.#evaluator.unblock()
    return { index, ids: this.#evaluateAll(id) }
  }

  /** Something on the node is over: it may have been the last that its drain waits for. */
  settled(id: string): void {
    if (!this.#node(id).Drain || this.#living(id).length > 0) return
    this.#finishDrain(id)
  }

  dispose(): void {
    for (const deadline of this.#deadlines.values()) clearTimeout(deadline)
  }

  #deadline(id: string): void {
    const living = this.#living(id)
    this.#state.commit('AllocationUpdateDesiredStatus', (tx) => {
      for (const allocation of living) {
        const DesiredTransition = { ...NO_TRANSITION, Migrate: true }
        tx.allocation({ ...allocation, DesiredTransition, ModifyTime: nanoseconds() })
      }
      for (const job of jobsOf(living)) {
        tx.evaluation(newEvaluation({ ...job, TriggeredBy: 'node-drain' }))
      }
    })
    this.#finishDrain(id)
  }

  #finishDrain(id: string): void {
    clearTimeout(this.#deadlines.get(id))
    this.#deadlines.delete(id)
    const UpdatedAt = new Date().toISOString()
    const LastDrain = { ...this.#node(id).LastDrain, Status: 'complete', UpdatedAt }
    this.#drained(id, { Drain: false, DrainStrategy: null, LastDrain })
  }

  #drained(id: string, changed: Partial<Node>): number {
    return this.#state.commit('NodeDrain', (tx) => {
      tx.node({ ...this.#node(id), ...changed, StatusUpdatedAt: seconds() })
    })
  }

  #become(
    id: string,
    changed: Partial<Node>,
    more: (index: number) => Partial<Node> = () => ({}),
  ): void {
    this.#state.commit('NodeStreamEvent', (tx) => {
      const StatusUpdatedAt = seconds()
      tx.node({ ...this.#node(id), ...changed, ...more(tx.index), StatusUpdatedAt })
    })
  }

  #registered(id: string): void {
    this.#state.commit('NodeRegistration', (tx) => {
      tx.node({ ...this.#node(id), StatusUpdatedAt: seconds() })
    })
  }

  /** One for each job that has, or has had, an allocation there; all in one transaction. */
  #evaluateAll(id: string): string[] {
    const { ModifyIndex: NodeModifyIndex } = this.#node(id)
    const evaluations = jobsOf(this.#allocationsOn(id)).map((job): NewEvaluation =>
      newEvaluation({ ...job, TriggeredBy: 'node-update', NodeID: id, NodeModifyIndex }),
    )
    if (evaluations.length === 0) return []
    this.#state.commit('EvaluationUpdated', (tx) => {
      for (const evaluation of evaluations) tx.evaluation(evaluation)
    })
    return evaluations.map(({ ID }) => ID)
  }

  #allocationsOn(id: string): readonly Allocation[] {
    return [...this.#state.allocations.values()].filter(({ NodeID }) => NodeID === id)
  }

  #living(id: string): readonly Allocation[] {
    return this.#allocationsOn(id).filter((one) => !isTerminal(one))
  }

  #node(id: string): Node {
    const node = this.#state.nodes.get(id)
    if (node === undefined) throw new Error(`there is no node ${id}`)
    return node
  }
}

const NO_DRAIN: JsonObject = { AccessorID: '', Meta: null }

function jobsOf(
  allocations: readonly Allocation[],
): readonly Pick<Allocation, 'Namespace' | 'JobID'>[] {
  const jobs = allocations.map((one) => {
    const { Namespace, JobID } = one
    return [keyOf(one), { Namespace, JobID }] as const
  })
  return [...new Map(jobs).values()]
}

function newNode(
  Name: string,
  drivers: readonly string[],
): Omit<Node, 'CreateIndex' | 'ModifyIndex'> {
  const UpdateTime = new Date().toISOString()
  const healthy = { Detected: true, HealthDescription: 'Healthy', Healthy: true, UpdateTime }
  return {
    ID: randomUUID(),
    Name,
    Datacenter: 'dc1',
    NodePool: 'default',
    NodeClass: '',
    ComputedClass: `v1:${Name}`,
    HTTPAddr: '127.0.0.1:4646',
    TLSEnabled: false,
    Drivers: Object.fromEntries(drivers.map((driver) => [driver, healthy])),
    Status: 'ready',
    StatusDescription: '',
    SchedulingEligibility: 'eligible',
    Drain: false,
    DrainStrategy: null,
    LastDrain: null,
    LastAllocUpdateIndex: 0,
    LastMissedHeartbeatIndex: 0,
    StatusUpdatedAt: seconds(),
  }
}

/** One line of a list. */
export function nodeStub(node: Node): object {
  const drivers = Object.entries(node.Drivers).map(([name, driver]) => [
    name,
    { ...driver, Attributes: { [`driver.${name}`]: 'true' } },
  ])
  return {
    ID: node.ID,
    Name: node.Name,
    Address: '127.0.0.1',
    Datacenter: node.Datacenter,
    NodeClass: node.NodeClass,
    NodePool: node.NodePool,
    Version: '1.6.5',
    Drain: node.Drain,
    SchedulingEligibility: node.SchedulingEligibility,
    Status: node.Status,
    StatusDescription: node.StatusDescription,
    Drivers: Object.fromEntries(drivers) as unknown,
    HostVolumes: null,
    LastDrain: node.LastDrain,
    CreateIndex: node.CreateIndex,
    ModifyIndex: node.ModifyIndex,
  }
}

function seconds(): number {
  return Math.floor(Date.now() / 1_000)
}
