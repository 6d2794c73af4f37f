import type { Observation, Sight } from '../../../../src/core/unit.ts'
import { exitOf, isDeregistered, isOver } from './exit.ts'
import { because } from './failed-start.ts'
import { unitOf } from '../identity.ts'
import { placementWord } from './placement.ts'
import { eventsOf, taskStateOf } from './task-end.ts'
import type { AllocationView, JobState, NodeView } from '../views.ts'

/** A unit as it stands in Nomad. */
export interface SeenUnit {
  readonly observation: Observation
  /** The allocation that was gone by: its logs are the unit's. None where nothing was placed. */
  readonly allocation?: AllocationView
  readonly logTailBytes: number
  /**
   * Why the job must be deregistered at once, where it must: Nomad runs the attempt a second time, or may
   * do so, whatever the job's policies say. Of one that is over this is mere precaution.
   */
  readonly deregister?: string
}

type Nodes = ReadonlyMap<string, NodeView>

/** Out of sight by what is known of its node, of which its allocation says nothing. */
export function isByNodeAlone({ observation, allocation }: SeenUnit): boolean {
  return observation.phase === 'unreachable' && !isGivenUp(allocation?.ClientStatus)
}

/**
 * A job with its allocations and evaluations as a unit. Its first allocation is the attempt; any later
 * one is a copy too many, and as long as one of them lives the unit does, so that no next attempt is
 * started beside it. What was lost, drained or preempted may be placed anew at any time (a node becomes
 * eligible, nomad/blocked_evals.go): it is over only once its job is deregistered.
 *
 * Undefined for a job that is not ours, and for one that is dead without a word on what became of it:
 * that is plain absence.
 */
export function unitOfJob(state: JobState, nodes: Nodes, now: Date): SeenUnit | undefined {
  const unit = unitOf(state.job)
  if (unit === undefined) return undefined
  const inOrder = state.allocations.toSorted((a, b) => a.CreateIndex - b.CreateIndex)
  const allocation = decisive(inOrder, nodes)
  const sight =
    allocation === undefined
      ? unplacedSight(state)
      : sightOf(allocation, inOrder[0] ?? allocation, state, nodes, now)
  if (sight === undefined) return undefined
  const node = firstOf(allocation?.NodeName, allocation?.NodeID)
  const copy = copyOf(inOrder, state)
  const deregister = copy ?? dangerOf(inOrder, state)
  return {
    observation: {
      unit: unit.name,
      identity: unit.identity,
      ...(node !== undefined && { node }),
      ...(copy !== undefined && { copy }),
      ...sight,
    },
    ...(allocation !== undefined && { allocation }),
    logTailBytes: unit.logTailBytes,
    ...(deregister !== undefined && { deregister }),
  }
}

/** What lives comes first, then what may live on a node that does not answer, then the attempt. */
function decisive(inOrder: readonly AllocationView[], nodes: Nodes): AllocationView | undefined {
  const living = inOrder.filter((one) => !isOver(one))
  return living.find((one) => !isOutOfSight(one, nodes)) ?? living[0] ?? inOrder[0]
}

function sightOf(
  allocation: AllocationView,
  attempt: AllocationView,
  state: JobState,
  nodes: Nodes,
  now: Date,
): Sight {
  if (isOver(allocation) && !mayBePlacedAnew(attempt, state)) {
    return { phase: 'exited', ...attemptExit(attempt, state) }
  }
  if (isOutOfSight(allocation, nodes)) {
    return { phase: 'unreachable', since: outOfSightSince(allocation, nodes) ?? now }
  }
  const task = taskStateOf(allocation)
  if (allocation.ClientStatus === 'pending') {
    const message = firstOf(eventsOf(task).at(-1)?.DisplayMessage, allocation.ClientDescription)
    return { phase: 'pending', ...(message !== undefined && { message }) }
  }
  return { phase: 'running' }
}

/** An end of a second run in the same allocation that we brought about is not the attempt's own. */
function attemptExit(attempt: AllocationView, state: JobState): ReturnType<typeof exitOf> {
  if (isReplacement(attempt)) {
    return { exit: because('lost', 'only a later allocation of it is known'), stopped: false }
  }
  const found = exitOf(attempt, state)
  if (!found.stopped || !ranAgain(attempt, state)) return found
  const { at } = found.exit
  const exit = because('interrupted', `${RAN_AGAIN}: the second run was stopped`)
  return { ...found, exit: { ...exit, ...(at !== undefined && { at }) } }
}

/**
 * Nothing has been placed. A job that was deregistered before it was placed never will be; one that is
 * dead otherwise has lost its allocations.
 */
function unplacedSight({ job, evaluations, deleted }: JobState): Sight | undefined {
  if (deleted === true) return { phase: 'removed', message: 'its job was purged' }
  if (job.Status === 'dead') {
    if (job.Stop !== true) return undefined
    const exit = because('removed', 'its job was deregistered before it was placed')
    return { phase: 'exited', exit, stopped: true }
  }
  const message = placementWord(evaluations)
  return { phase: 'pending', ...(message !== undefined && { message }), unplaced: true }
}

/** Its node does not answer: the servers say so of the allocation, or, a moment before, of the node. */
function isOutOfSight({ ClientStatus, NodeID = '' }: AllocationView, nodes: Nodes): boolean {
  const status = nodes.get(NodeID)?.Status
  if (isGivenUp(ClientStatus)) return true
  return status === 'down' || status === 'disconnected'
}

/** The servers do not know any more what becomes of it. */
function isGivenUp(status: string | undefined): boolean {
  return status === 'unknown' || status === 'lost'
}

function outOfSightSince(allocation: AllocationView, nodes: Nodes): Date | undefined {
  if (!isGivenUp(allocation.ClientStatus)) {
    const since = nodes.get(allocation.NodeID ?? '')?.StatusUpdatedAt
    return since === undefined ? undefined : new Date(since * 1_000)
  }
  const told = allocation.AllocStates?.findLast(({ Value }) => Value === 'unknown')?.Time
  if (told !== undefined && told !== null) return new Date(told)
  // Lists have no states: to be given up was the last thing that happened to it.
  const { ModifyTime } = allocation
  return ModifyTime === undefined ? undefined : new Date(ModifyTime / 1_000_000)
}

const RAN_AGAIN = 'it was run again in the same allocation'

/** Why, where it lives a second time. */
function copyOf(inOrder: readonly AllocationView[], state: JobState): string | undefined {
  const replaced = inOrder.some((one, i) => !isOver(one) && (i > 0 || isReplacement(one)))
  if (replaced) return 'Nomad has made another allocation of it'
  const [first] = inOrder
  return first !== undefined && !isOver(first) && ranAgain(first, state) ? RAN_AGAIN : undefined
}

/** Why, where it may live a second time. */
function dangerOf([first]: readonly AllocationView[], state: JobState): string | undefined {
  if (first === undefined || !isOver(first) || isDeregistered(state)) return undefined
  if (mayBePlacedAnew(first, state)) {
    return 'its allocation was taken from it, and Nomad may make another'
  }
  return exitOf(first, state).exit.reason === 'completed' ? undefined : MAY_COME_AGAIN
}

/**
 * What has failed is kept for a while, and is placed anew when something becomes of its node
 * (hashicorp/nomad #4299; of any node in the releases of #19729, where it is seen at once). What has
 * succeeded is removed as soon as that is recorded.
 */
const MAY_COME_AGAIN = 'it has failed, and Nomad may run it again when a node goes'

/** The servers have given it up; what has succeeded is never placed anew (scheduler/util.go). */
function mayBePlacedAnew(attempt: AllocationView, state: JobState): boolean {
  const { ClientStatus, DesiredStatus = '' } = attempt
  if (isDeregistered(state)) return false
  if (ClientStatus !== 'lost' && !['stop', 'evict'].includes(DesiredStatus)) return false
  return exitOf(attempt, state).exit.reason !== 'completed'
}

/** Told in events only, and not of every replacement: the order of allocations tells the rest. */
function isReplacement({ PreviousAllocation = '' }: AllocationView): boolean {
  return PreviousAllocation !== ''
}

/**
 * A client that finds its task gone after a restart runs it again, whatever the restart policy says
 * (client/allocrunner/taskrunner, restore), and so does an operator's `alloc restart`. One that has lost
 * its whole memory of an allocation that came back from being unknown begins it anew, without a word of
 * the first run (client/allocrunner, Reconnect, writes down half an allocation).
 */
function ranAgain(allocation: AllocationView, { startedAgain }: JobState): boolean {
  const task = taskStateOf(allocation)
  const starts = eventsOf(task).filter(({ Type }) => Type === 'Started').length
  return starts > 1 || (task?.Restarts ?? 0) > 0 || startedAgain?.has(allocation.ID) === true
}

/** The first text that says something: absent and empty are the same here. */
function firstOf(...texts: readonly (string | undefined)[]): string | undefined {
  return texts.find((text) => text !== undefined && text !== '')
}
