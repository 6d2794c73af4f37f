import type { JsonObject } from '../../../src/core/json.ts'
import { groupOf, isTerminal, taskOf } from './objects.ts'
import type { Constraint, Job, Node } from './objects.ts'
import type { State } from './state.ts'

/** What a node has to give. */
export interface Room {
  readonly cpuMhz: number
  readonly memoryMb: number
}

export interface Placement {
  readonly node: Node | undefined
  /** `AllocMetric`: what was looked at, and why the rest would not do. */
  readonly metric: JsonObject
  /** By the class of the node: whether another one of it could do. */
  readonly classes: Readonly<Record<string, boolean>>
}

/** Whether a job's one allocation finds a node, as far as Longhaul's jobs ask anything of one. */
export function placementOf(job: Job, state: State, room: (node: string) => Room): Placement {
  const ready = [...state.nodes.values()].filter((node) => isReady(node, job))
  const filtered = new Map<string, number>()
  const exhausted = new Map<string, number>()
  const classes: Record<string, boolean> = {}
  const fitting: Node[] = []
  for (const node of ready) {
    const reason = refusalOf(job, node)
    classes[node.ComputedClass] = reason === undefined
    if (reason !== undefined) count(filtered, reason)
    else {
      const lacking = dimensionLacking(job, node, state, room(node.ID))
      if (lacking === undefined) fitting.push(node)
      else count(exhausted, lacking)
    }
  }
  const load = (node: Node) => living(state, node.ID).length
  const node = fitting.toSorted((a, b) => load(a) - load(b))[0]
  const task = taskOf(job)
  const metric = {
    AllocationTime: 1_000,
    ClassExhausted: null,
    ClassFiltered: null,
    CoalescedFailures: 0,
    ConstraintFiltered: countsIn(filtered),
    DimensionExhausted: countsIn(exhausted),
    NodesAvailable: countsIn(availableIn(ready)) ?? {},
    NodesEvaluated: ready.length,
    NodesExhausted: sum(exhausted),
    NodesFiltered: sum(filtered),
    NodesInPool: ready.length,
    QuotaExhausted: null,
    ResourcesExhausted:
      exhausted.size === 0 ? null : { [task.Name]: { ...NO_RESOURCES, ...asked(job, exhausted) } },
    ScoreMetaData: node === undefined ? null : [scoreOf(node)],
    Scores: null,
  }
  return { node, metric, classes }
}

const NO_RESOURCES = {
  CPU: 0,
  Cores: 0,
  Devices: null,
  DiskMB: 0,
  IOPS: 0,
  MemoryMB: 0,
  MemoryMaxMB: 0,
  Networks: null,
}

function isReady(node: Node, { Datacenters, NodePool }: Job): boolean {
  return (
    node.Status === 'ready' &&
    node.SchedulingEligibility === 'eligible' &&
    !node.Drain &&
    node.NodePool === NodePool &&
    Datacenters.some((name) => name === '*' || name === node.Datacenter)
  )
}

function refusalOf(job: Job, node: Node): string | undefined {
  const group = groupOf(job)
  const task = taskOf(job)
  const driver = node.Drivers[task.Driver]
  if (driver?.['Detected'] !== true || driver['Healthy'] !== true) return 'missing drivers'
  const constraints = [job, group, task].flatMap(({ Constraints }) => Constraints ?? [])
  const failing = constraints.find((one) => !holds(one, node))
  if (failing === undefined) return undefined
  return `${failing.LTarget} ${failing.Operand} ${failing.RTarget}`
}

function holds({ LTarget, Operand, RTarget }: Constraint, node: Node): boolean {
  const value = attributeOf(LTarget, node)
  if (Operand === '=') return value === RTarget
  if (Operand === '!=') return value !== RTarget
  throw new Error(`the fake Nomad knows no constraint '${LTarget} ${Operand} ${RTarget}'`)
}

function attributeOf(target: string, node: Node): string | undefined {
  switch (target) {
    case '${node.unique.id}':
      return node.ID
    case '${node.unique.name}':
    case '${attr.unique.hostname}':
      return node.Name
    case '${node.class}':
      return node.NodeClass
    case '${node.datacenter}':
      return node.Datacenter
    case '${attr.kernel.name}':
      return 'linux'
    default:
      throw new Error(`the fake Nomad's nodes have no '${target}'`)
  }
}

function dimensionLacking(
  job: Job,
  node: Node,
  state: State,
  { cpuMhz, memoryMb }: Room,
): string | undefined {
  const wanted = [job, ...living(state, node.ID).map(({ Job }) => Job)].map(
    (one) => taskOf(one).Resources,
  )
  const total = (of: 'CPU' | 'MemoryMB') => wanted.reduce((all, one) => all + one[of], 0)
  if (total('CPU') > cpuMhz) return 'cpu'
  return total('MemoryMB') > memoryMb ? 'memory' : undefined
}

function living(state: State, node: string) {
  return [...state.allocations.values()].filter((one) => one.NodeID === node && !isTerminal(one))
}

function asked(job: Job, exhausted: ReadonlyMap<string, number>): JsonObject {
  const { CPU, MemoryMB } = taskOf(job).Resources
  return { ...(exhausted.has('cpu') && { CPU }), ...(exhausted.has('memory') && { MemoryMB }) }
}

function scoreOf({ ID }: Node): JsonObject {
  const Scores = {
    binpack: 0.01,
    'job-anti-affinity': 0,
    'node-affinity': 0,
    'node-reschedule-penalty': 0,
  }
  return { NodeID: ID, NormScore: 0.01, Scores }
}

function availableIn(nodes: readonly Node[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const { Datacenter } of nodes) count(found, Datacenter)
  return found
}

function count(into: Map<string, number>, name: string): void {
  into.set(name, (into.get(name) ?? 0) + 1)
}

function countsIn(found: ReadonlyMap<string, number>): Readonly<Record<string, number>> | null {
  return found.size === 0 ? null : Object.fromEntries(found)
}

function sum(found: ReadonlyMap<string, number>): number {
  return [...found.values()].reduce((all, one) => all + one, 0)
}
