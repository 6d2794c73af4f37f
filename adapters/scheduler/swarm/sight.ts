import type { Sight } from '../../../src/core/unit.ts'
import { exitOf, isOver } from './task-exit.ts'
import type { NodeView, TaskView } from './views.ts'

/** Beyond its grace, the node needs a moment to kill what it was told to. */
const KILLED_WITHIN_MS = 10_000

/** What a task's state says of its unit. `node`: the one it is on, where it is known. */
export function sightOf(task: TaskView, node: NodeView | undefined, now: Date): Sight {
  if (isOver(task)) {
    if (mayStillRun(task, now)) return { phase: 'running' }
    return { phase: 'exited', ...exitOf(task) }
  }
  if (isDown(node)) return { phase: 'unreachable', since: dateOf(node?.UpdatedAt) ?? now }
  const { State, Message = '', Err = '' } = task.Status
  // Before a task that is told to end has been placed, nothing will ever come of it.
  if (isUnplaced(task) && ['shutdown', 'remove'].includes(task.DesiredState)) {
    const stopped = task.DesiredState === 'remove'
    const reason = stopped ? 'removed' : 'interrupted'
    return { phase: 'exited', exit: { reason, message: Err || Message }, stopped }
  }
  if (State === 'running') return { phase: 'running' }
  const message = Err || Message
  return {
    phase: 'pending',
    ...(message !== '' && { message }),
    ...(isUnplaced(task) && { unplaced: true }),
  }
}

/** Down, or without a manager that it talks to (swarmkit dispatcher.go, `disconnectNode`); `unknown` stands for a moment after every change of the leader. */
export function isDown(node: NodeView | undefined): boolean {
  const state = node?.Status?.State
  return state === 'down' || state === 'disconnected'
}

function isUnplaced({ NodeID = '', Status }: TaskView): boolean {
  return NodeID === '' && ['new', 'allocated', 'pending'].includes(Status.State)
}

/**
 * A task whose node no longer meets its constraints is called rejected while its container runs, and
 * how that ended is never told: it counts as running until the node must have killed it
 * (swarmkit constraint_enforcer.go).
 */
function mayStillRun({ Status, Spec }: TaskView, now: Date): boolean {
  if (Status.State !== 'rejected' || Status.Message?.includes('constraint enforcer') !== true) {
    return false
  }
  const since = dateOf(Status.Timestamp)
  if (since === undefined) return false
  const graceMs = (Spec.ContainerSpec?.StopGracePeriod ?? 10_000_000_000) / 1_000_000
  return now.getTime() < since.getTime() + graceMs + KILLED_WITHIN_MS
}

function dateOf(text: string | undefined): Date | undefined {
  const date = text === undefined ? undefined : new Date(text)
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date
}
