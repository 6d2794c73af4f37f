import type { Change } from '../core/change.ts'
import { isJsonObject, type Json } from '../core/json.ts'
import { isEnded, type TaskRecord } from '../core/task.ts'
import type { Lease } from '../ports/leadership.ts'
import type { Logger } from '../ports/logger.ts'
import type { Meter } from '../ports/meter.ts'
import type { TaskStore } from '../ports/task-store.ts'

/** The one way in which the engine changes a task. */
export interface Transitions {
  /**
   * Loads the task, computes a change, makes it; when somebody was faster, loads and computes again.
   * `compute` gives undefined when there is nothing to change (any more). Resolves with what was
   * changed, or undefined. Throws what the store throws.
   */
  change(
    taskId: string,
    compute: (record: TaskRecord) => Change | undefined | Promise<Change | undefined>,
    lease?: Lease,
  ): Promise<'applied' | 'repeated' | undefined>
  /** Makes a change that was computed already; `stale` when somebody was faster. */
  apply(change: Change, lease?: Lease): Promise<'applied' | 'repeated' | 'stale'>
}

export function createTransitions(deps: {
  readonly tasks: TaskStore
  readonly logger: Logger
  readonly meter: Meter
}): Transitions {
  const { tasks, logger, meter } = deps

  async function apply(change: Change, lease?: Lease) {
    const result = await tasks.apply(change, lease)
    if (result === 'applied') report(change)
    return result
  }

  function report(change: Change): void {
    for (const event of change.events) logEvent(logger, event.name, event.message)
    const { state, outcome, stuck } = change.task
    const exited = change.attempts.find(({ exit }) => exit !== undefined)?.exit
    if (state === 'exited' && exited && change.events.length > 0) meter.attemptEnded(exited.reason)
    if (isEnded(state) && outcome && change.events.length > 0) {
      meter.taskEnded(change.task.type, state)
    }
    if (stuck) logger.error('task.stuck', { taskId: change.taskId, reason: stuck.reason })
  }

  return {
    apply,
    async change(taskId, compute, lease) {
      for (;;) {
        const record = await tasks.find(taskId)
        const change = record && (await compute(record))
        if (change === undefined) return undefined
        const result = await apply(change, lease)
        if (result !== 'stale') return result
      }
    },
  }
}

/** One line for each transition: `task.exited taskId attempt reason code`. Never an input or an output. */
export function logEvent(logger: Logger, name: string, message: unknown): void {
  if (!name.startsWith('longhaul/') || !isJsonObject(message)) return
  const { taskId, run, attempt, node, exit, rule, dueAt, by, reason, commandId, errors } = message
  const { reason: why, code, signal } = isJsonObject(exit) ? exit : {}
  const codes = Array.isArray(errors)
    ? JSON.stringify(
        (errors as readonly Json[]).map((error) => isJsonObject(error) && error['code']),
      )
    : undefined
  const fields = {
    taskId,
    run,
    attempt,
    node,
    reason: why ?? reason,
    code,
    signal,
    dueAt,
    rule,
    by,
    commandId,
    errors: codes,
  }
  const present = Object.entries(fields).filter(([, value]) => value !== undefined)
  const bad = name === 'longhaul/task-failed' || name === 'longhaul/task-rejected'
  logger[bad ? 'warn' : 'info'](
    name.slice('longhaul/'.length).replace('-', '.'),
    Object.fromEntries(present),
  )
}
