import { change } from '../core/change.ts'
import type { Policy } from '../core/dues.ts'
import { cancel, redrive, unstick } from '../core/lifecycle.ts'
import type { TaskRecord } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { TaskStore } from '../ports/task-store.ts'
import type { Definitions } from './definitions.ts'
import type { TaskTypes } from './task-types.ts'
import type { Transitions } from './transitions.ts'

/** What people and programs may do to an accepted task. */
export interface Control {
  cancel(wish: Wish): Promise<ControlResult>
  redrive(wish: Wish): Promise<ControlResult>
}

export interface Wish {
  readonly taskId: string
  readonly by?: string
  readonly reason?: string
  /** Only this run is meant; another is refused. */
  readonly run?: number
  /** The command's message id: its effect happens once. */
  readonly commandId?: string
}

export type ControlResult =
  | { readonly kind: 'done'; readonly record: TaskRecord }
  /** It was so already: cancelled before, or this command had its effect before. */
  | { readonly kind: 'already'; readonly record: TaskRecord }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'refused'
      readonly code: 'other-run' | 'ended' | 'live' | 'type-gone' | 'input-misfits'
      readonly message: string
      readonly record: TaskRecord
    }

export function createControl(deps: {
  readonly tasks: TaskStore
  readonly transitions: Transitions
  readonly definitions: Definitions
  readonly taskTypes: TaskTypes
  readonly clock: Clock
}): Control {
  const { tasks, transitions, definitions, taskTypes, clock } = deps

  async function cancelOnce(wish: Wish, record: TaskRecord): Promise<ControlResult | 'stale'> {
    const { by, reason } = wish
    const policy = await definitions.policy(record.task.definition)
    const words = { ...(by !== undefined && { by }), ...(reason !== undefined && { reason }) }
    const result = cancel(record, policy, words, wish.commandId, clock.now())
    switch (result.kind) {
      case 'requested':
        return alreadySo(wish, record, policy)
      case 'ended': {
        if (result.state === 'cancelled') return alreadySo(wish, record, policy)
        const message = `the task has ended: it is ${result.state}`
        return { kind: 'refused', code: 'ended', message, record }
      }
      case 'change':
        return outcome(await transitions.apply(result.change), wish.taskId)
    }
  }

  /** Nothing to do, now or when the command comes again: its id is kept, for the next run to come. */
  async function alreadySo(
    { commandId }: Wish,
    record: TaskRecord,
    policy: Policy,
  ): Promise<ControlResult | 'stale'> {
    if (commandId === undefined) return { kind: 'already', record }
    const result = await transitions.apply(change(record, policy, { commandId }))
    return result === 'stale' ? 'stale' : { kind: 'already', record }
  }

  async function redriveOnce(wish: Wish, record: TaskRecord): Promise<ControlResult | 'stale'> {
    const { task } = record
    const { commandId } = wish
    const now = clock.now()
    if (task.stuck !== undefined) {
      const policy = await definitions.policy(task.definition)
      return outcome(await transitions.apply(unstick(record, policy, commandId)), wish.taskId)
    }
    if (task.state !== 'failed' && task.state !== 'cancelled') {
      const message =
        task.state === 'succeeded'
          ? 'the task has succeeded: there is nothing to do again'
          : `the task is ${task.state}: only a failed, cancelled or stuck one is redriven`
      return { kind: 'refused', code: 'live', message, record }
    }
    const loaded = taskTypes.byName(task.type)
    if (loaded === undefined) {
      const message = `there is no task type ${task.type} any more`
      return { kind: 'refused', code: 'type-gone', message, record }
    }
    const errors = loaded.validateInput(task.input)
    if (errors.length > 0) {
      const words = errors.map(({ pointer, message }) => `${pointer || '(input)'} ${message}`)
      const message = `the input does not fit the type's present schema: ${words.join('; ')}`
      return { kind: 'refused', code: 'input-misfits', message, record }
    }
    await tasks.define(loaded.definition)
    const result = await transitions.apply(redrive(record, loaded.type, commandId, now))
    return outcome(result, wish.taskId)
  }

  async function outcome(
    result: 'applied' | 'repeated' | 'stale',
    taskId: string,
  ): Promise<ControlResult | 'stale'> {
    if (result === 'stale') return 'stale'
    const record = await tasks.find(taskId)
    if (record === undefined) return { kind: 'unknown' }
    return { kind: result === 'applied' ? 'done' : 'already', record }
  }

  async function control(
    wish: Wish,
    once: (wish: Wish, record: TaskRecord) => Promise<ControlResult | 'stale'>,
  ): Promise<ControlResult> {
    for (;;) {
      const record = await tasks.find(wish.taskId)
      if (record === undefined) return { kind: 'unknown' }
      // Asked first: the command's own effect may be why the state refuses it now.
      if (wish.commandId !== undefined && (await tasks.hasApplied(wish.commandId))) {
        return { kind: 'already', record }
      }
      if (wish.run !== undefined && wish.run !== record.task.run) {
        const message = `the task is in run ${record.task.run}, not ${wish.run}`
        return { kind: 'refused', code: 'other-run', message, record }
      }
      const result = await once(wish, record)
      if (result !== 'stale') return result
    }
  }

  return {
    cancel: (wish) => control(wish, cancelOnce),
    redrive: (wish) => control(wish, redriveOnce),
  }
}
