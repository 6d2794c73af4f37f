import type { Observation } from '../../../src/core/unit.ts'
import { unitOf } from './labels.ts'
import { sightOf } from './sight.ts'
import { isOver } from './task-exit.ts'
import type { NodeView, ServiceView, TaskView } from './views.ts'

/** A unit as it stands in the swarm. */
export interface SeenUnit {
  readonly observation: Observation
  /** The task that was gone by; none where the swarm has not made one yet. */
  readonly task?: TaskView
  readonly logTailBytes: number
  /** How many tasks the service has had: more than one is a run too many. */
  readonly tasks: number
}

/**
 * Services, their tasks and the nodes as units. A unit whose service is gone is there as long as a task
 * of it is; a service without a task has just been made.
 */
export function unitsOf(
  services: readonly ServiceView[],
  tasks: readonly TaskView[],
  nodes: ReadonlyMap<string, NodeView>,
  now: Date,
): readonly SeenUnit[] {
  const seen = new Map<string, SeenUnit>()
  for (const [name, ofUnit] of byUnit(tasks)) {
    const one = unitOfTasks(ofUnit, nodes, now)
    if (one !== undefined) seen.set(name, one)
  }
  for (const { Spec } of services) {
    const unit = unitOf(Spec.Labels)
    if (unit === undefined || seen.has(unit.name)) continue
    const observation: Observation = {
      unit: unit.name,
      identity: unit.identity,
      phase: 'pending',
      message: 'the swarm has made no task of it yet',
    }
    seen.set(unit.name, { observation, logTailBytes: unit.logTailBytes, tasks: 0 })
  }
  return [...seen.values()]
}

/** One unit from the tasks that its service has had: undefined where there are none of ours. */
export function unitOfTasks(
  tasks: readonly TaskView[],
  nodes: ReadonlyMap<string, NodeView>,
  now: Date,
): SeenUnit | undefined {
  const task = decisive(tasks)
  const unit = unitOf(task?.Spec.ContainerSpec?.Labels)
  if (task === undefined || unit === undefined) return undefined
  const nodeId = task.NodeID ?? ''
  const node = nodes.get(nodeId)
  const name = node?.Description?.Hostname ?? nodeId
  const observation: Observation = {
    unit: unit.name,
    identity: unit.identity,
    ...(name !== '' && { node: name }),
    ...sightOf(task, node, now),
  }
  return { observation, task, logTailBytes: unit.logTailBytes, tasks: tasks.length }
}

/** What runs comes first, so that no next attempt is started beside it; else the first, the one meant. */
function decisive(tasks: readonly TaskView[]): TaskView | undefined {
  const inOrder = tasks.toSorted((a, b) => (a.CreatedAt ?? '').localeCompare(b.CreatedAt ?? ''))
  return inOrder.find((task) => !isOver(task)) ?? inOrder[0]
}

export function byUnit(tasks: readonly TaskView[]): ReadonlyMap<string, readonly TaskView[]> {
  const found = new Map<string, TaskView[]>()
  for (const task of tasks) {
    const unit = unitOf(task.Spec.ContainerSpec?.Labels)
    if (unit === undefined) continue
    const same = found.get(unit.name)
    if (same === undefined) found.set(unit.name, [task])
    else same.push(task)
  }
  return found
}
