import { exitOfCode } from '../../../../src/core/exit.ts'
import type { ObservedExit } from '../../../../src/core/exit.ts'
import { because, failedStartOf } from './failed-start.ts'
import { lastEvent, taskEndOf, taskStateOf, type TaskEnd } from './task-end.ts'
import type { AllocationView, JobState, TaskStateView } from '../views.ts'

/**
 * Over: nothing will run of it any more that its client knows of. A client calls an allocation
 * `complete` a moment before its program has ended where it has run for too long
 * (client/allocrunner, max_run_duration): the task's own state is waited for.
 */
export function isOver(allocation: AllocationView): boolean {
  switch (allocation.ClientStatus) {
    case 'complete':
    case 'failed':
      return (taskStateOf(allocation)?.State ?? 'dead') === 'dead'
    case 'lost':
      return true
    default:
      return false
  }
}

type Ending = Pick<JobState, 'job' | 'evaluations' | 'deleted'>

/**
 * By us or by somebody else: a job is never registered again. That it is purged is told by an evaluation
 * alone before 1.11.3 (hashicorp/nomad #27614).
 */
export function isDeregistered({ job, evaluations, deleted }: Ending): boolean {
  if (job.Stop === true || deleted === true) return true
  return evaluations.some(({ TriggeredBy }) => TriggeredBy === 'job-deregister')
}

/**
 * How an allocation that is over ended; `stopped` where it was because its job was deregistered, by us
 * or by somebody else. `complete` is no success: so is called whatever was killed, too. What ended
 * before anybody killed it has ended by itself, whatever was wanted of it since.
 */
export function exitOf(
  allocation: AllocationView,
  state: Ending,
): { readonly exit: ObservedExit; readonly stopped: boolean } {
  const task = taskStateOf(allocation)
  const end = taskEndOf(task)
  const found = howEnded(allocation, state, task, end)
  const at = endedAt(allocation, task, end)
  return { ...found, exit: { ...found.exit, ...(at !== undefined && { at }) } }
}

function howEnded(
  allocation: AllocationView,
  state: Ending,
  task: TaskStateView | undefined,
  end: TaskEnd | undefined,
): { readonly exit: ObservedExit; readonly stopped: boolean } {
  const own = end === undefined || end.killed ? undefined : ownExit(end)
  if (own !== undefined) return { exit: own, stopped: false }
  const cause = causeOf(allocation, state, task)
  if (cause !== undefined) {
    return { exit: { ...codeOf(end), ...cause.exit }, stopped: cause.stopped }
  }
  if (end === undefined) return { exit: failedStartOf(allocation, task), stopped: false }
  const message = end.message || (lastEvent(task, 'Killing')?.DisplayMessage ?? '')
  return { exit: { ...codeOf(end), ...because('interrupted', message) }, stopped: false }
}

/** Undefined where the driver lost sight of the program. */
function ownExit(end: TaskEnd): ObservedExit | undefined {
  if (end.code === undefined) return undefined
  const message = end.message === '' ? {} : { message: end.message }
  const said = codeOf(end)
  if (end.oomKilled) return { ...said, reason: 'oom', ...message }
  // The docker driver never tells the signal; others tell it beside 128 + n.
  if (end.signal > 0) return { ...said, reason: 'killed', ...message }
  return { ...exitOfCode(end.code), ...message }
}

function codeOf(end: TaskEnd | undefined): Pick<ObservedExit, 'code' | 'signal'> {
  if (end?.code === undefined) return {}
  const { signal } = exitOfCode(end.signal > 0 ? 128 + end.signal : end.code)
  return { code: end.code, ...(signal !== undefined && { signal }) }
}

/** Who ended it: by the servers' words on what they want of it (scheduler/structs/const.go). */
function causeOf(
  allocation: AllocationView,
  state: Ending,
  task: TaskStateView | undefined,
): { readonly exit: ObservedExit; readonly stopped: boolean } | undefined {
  const { DesiredStatus = 'run', DesiredDescription: word = '' } = allocation
  const cause = (exit: ObservedExit, stopped = false) => ({ exit, stopped })
  if (DesiredStatus === 'evict' || (allocation.PreemptedByAllocation ?? '') !== '') {
    return cause(because('preempted', word))
  }
  const overtime = [
    allocation.ClientDescription ?? '',
    lastEvent(task, 'Killing')?.DisplayMessage ?? '',
  ].find((text) => text.includes('max_run_duration'))
  if (overtime !== undefined) return cause(because('attempt-timeout', overtime))
  if (allocation.ClientStatus === 'lost' || word.startsWith('alloc is lost')) {
    return cause(because('node-lost', word))
  }
  if (DesiredStatus !== 'stop') return undefined
  if (word === 'alloc is being migrated') {
    // A drain, and an operator who stops the allocation alone: only the evaluation tells.
    const byHand = state.evaluations.some(({ TriggeredBy }) => TriggeredBy === 'alloc-stop')
    return cause(byHand ? because('removed', 'somebody stopped its allocation') : drained)
  }
  if (word === 'alloc not needed as node is tainted') return cause(drained)
  return isDeregistered(state)
    ? cause(because('removed', 'its job was deregistered'), true)
    : cause(because('removed', word))
}

const drained = because('interrupted', 'its node was drained')

function endedAt(
  allocation: AllocationView,
  task: TaskStateView | undefined,
  end: TaskEnd | undefined,
): Date | undefined {
  const time = end?.time ?? (task?.FinishedAt ? undefined : allocation.ModifyTime)
  const at = new Date(time === undefined ? (task?.FinishedAt ?? '') : time / 1_000_000)
  return Number.isNaN(at.getTime()) ? undefined : at
}
