import { groupOf, isTerminal } from './objects.ts'
import type { Allocation, ClientStatus, Job, Node } from './objects.ts'

/** What an evaluation comes to, before a place is looked for. */
export interface Wanted {
  readonly stop: readonly Stop[]
  /** One for each allocation to be placed: what it takes the place of. */
  readonly place: readonly (Allocation | undefined)[]
  /** Their node does not answer, and they are to be waited for. */
  readonly unknown: readonly Allocation[]
  readonly reconnected: readonly Allocation[]
}

interface Stop {
  readonly allocation: Allocation
  readonly description: string
  readonly clientStatus?: ClientStatus
}

const NOT_NEEDED = 'alloc not needed due to job update'
const MIGRATING = 'alloc is being migrated'
const LOST = 'alloc is lost since its node is down'
const FAILED_AWAY = 'alloc was rescheduled because it failed'

/**
 * What is to become of a batch job's allocations, as 1.6.5 decides it (scheduler/reconcile.go and
 * reconcile_util.go) for a job without rescheduling: a lost one is placed anew whatever the policy says,
 * one that is to migrate as well, and of a job that bears disconnected clients (`MaxClientDisconnect`)
 * whatever is over does not count any more (1.6.3 to 1.6.9, #19729): each evaluation places it anew.
 */
export function reconcile(
  job: Job | undefined,
  allocations: readonly Allocation[],
  nodes: ReadonlyMap<string, Node>,
): Wanted {
  if (job === undefined || job.Stop) return stopAll(allocations, nodes)
  const found = Map.groupBy(allocations, (one) => kindOf(one, nodes))
  const of = (kind: Kind) => found.get(kind) ?? []
  const stop: Stop[] = of('lost').map((allocation) => ({
    allocation,
    description: LOST,
    clientStatus: 'lost',
  }))
  const reconnected: Allocation[] = []
  for (const allocation of of('reconnecting')) {
    const { ClientStatus, DesiredStatus, DesiredTransition } = allocation
    if (DesiredStatus === 'run' && ClientStatus === 'failed') {
      stop.push({ allocation, description: FAILED_AWAY, clientStatus: 'failed' })
    } else if (DesiredStatus !== 'run' || DesiredTransition?.['Migrate'] === true) {
      stop.push({ allocation, description: NOT_NEEDED })
    } else reconnected.push(allocation)
  }
  const unknown = of('disconnecting')
  const counted = [...of('untainted').filter(counts), ...reconnected, ...unknown]
  const { Count } = groupOf(job)
  const migrate = [...of('migrate')]
  const known = counted.filter(({ ClientStatus }) => ClientStatus !== 'unknown')
  const living = known.filter((one) => !isTerminal(one))
  const excess = Math.max(0, known.length + migrate.length - Count)
  for (const allocation of [...migrate.splice(0, excess), ...living].slice(0, excess)) {
    stop.push({ allocation, description: NOT_NEEDED })
  }
  const missing = Math.max(0, Count - counted.length - migrate.length)
  const instead = of('lost').slice(0, missing)
  const others = Array.from<undefined>({ length: missing - instead.length })
  stop.push(...migrate.map((allocation) => ({ allocation, description: MIGRATING })))
  return { stop, place: [...instead, ...others, ...migrate], unknown, reconnected }
}

function stopAll(allocations: readonly Allocation[], nodes: ReadonlyMap<string, Node>): Wanted {
  const living = allocations.filter((one) => !isTerminal(one))
  const stop = living.map((allocation): Stop => {
    if (kindOf(allocation, nodes) !== 'lost') return { allocation, description: NOT_NEEDED }
    return { allocation, description: LOST, clientStatus: 'lost' }
  })
  return { stop, place: [], unknown: [], reconnected: [] }
}

type Kind = 'untainted' | 'migrate' | 'lost' | 'disconnecting' | 'reconnecting' | 'ignored'

/** `filterByTainted`. */
function kindOf(allocation: Allocation, nodes: ReadonlyMap<string, Node>): Kind {
  const { ClientStatus, DesiredStatus, DesiredTransition, NodeID } = allocation
  const bears = groupOf(allocation.Job).MaxClientDisconnect !== null
  const back = bears && isBack(allocation)
  const wanted = DesiredStatus === 'run'
  if (back && wanted && ClientStatus === 'failed') return 'reconnecting'
  const node = nodes.get(NodeID)
  if (node?.Status === 'disconnected') {
    if (!bears) return 'lost'
    if (ClientStatus === 'running') return 'disconnecting'
    if (ClientStatus === 'pending') return 'lost'
  }
  if (node?.Status === 'ready' && node.Drain && back) return 'reconnecting'
  if (isTerminal(allocation) && !back) return bears ? 'ignored' : 'untainted'
  if (DesiredTransition?.['Migrate'] === true) return 'migrate'
  if (bears && ClientStatus === 'unknown' && wanted) return 'untainted'
  if (back && ClientStatus === 'failed') return 'ignored'
  if (node === undefined || node.Status === 'down') return 'lost'
  return back ? 'reconnecting' : 'untainted'
}

/** It was unknown, its client has reported since, and no evaluation has seen that yet. */
function isBack({ AllocStates, ClientStatus }: Allocation): boolean {
  return ['unknown', 'running', 'failed'].includes(ClientStatus) && lastState(AllocStates)
}

function lastState(states: Allocation['AllocStates']): boolean {
  return states?.at(-1)?.Value === 'unknown'
}

/** `shouldFilter`: what was stopped counts only where it came to its end without failing. */
function counts(allocation: Allocation): boolean {
  if (allocation.NextAllocation !== undefined && isTerminal(allocation)) return false
  if (allocation.DesiredStatus === 'evict') return false
  return allocation.DesiredStatus === 'run' || ranSuccessfully(allocation)
}

function ranSuccessfully({ TaskStates }: Allocation): boolean {
  const states = Object.values(TaskStates ?? {})
  return states.length > 0 && states.every(({ State, Failed }) => State === 'dead' && !Failed)
}
