import {
  calledAgain,
  isAskedAgain,
  looked,
  startAnswered,
  startCallBegun,
} from '../core/attempt-calls.ts'
import { lateExitRecorded } from '../core/attempts.ts'
import { change } from '../core/change.ts'
import type { Policy } from '../core/dues.ts'
import { errorMessage, LeaseLost, Unavailable } from '../core/errors.ts'
import { type Action, reconcile, type Sighting } from '../core/reconcile.ts'
import { type Attempt, currentAttempt, type TaskRecord } from '../core/task.ts'
import type { Observation } from '../core/unit.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lease } from '../ports/leadership.ts'
import type { Logger } from '../ports/logger.ts'
import type { Meter } from '../ports/meter.ts'
import type { SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import type { TaskStore } from '../ports/task-store.ts'
import { Bell, LONGEST_SLEEP_MS } from './bell.ts'
import type { Decider } from './decider.ts'
import type { Definitions } from './definitions.ts'
import type { Drift } from './drift.ts'
import { KeyedQueue } from './keyed-queue.ts'
import type { Transitions } from './transitions.ts'
import { createUnitCalls } from './unit-calls.ts'

const BATCH = 100
/** How old the row of a start may be for what it says of the time to hold. */
const FRESH_MS = 1_000
/** Tasks worked on at a time: calls to the scheduler among them. */
const MOST_AT_A_TIME = 500

export interface Reconciler {
  /** A unit was seen, or not. Resolves when what follows from it has been done. */
  see(taskId: string, sighting: Sighting): Promise<void>
  /** The row says `starting(n)`, written just now by this leader: asks the scheduler. Does not wait. */
  start(taskId: string): void
  /**
   * The scheduler answers again: calls about live attempts that failed are made without their pause. Does
   * not wait for them. Throws what the store throws.
   */
  callAgain(): Promise<void>
  /** Runs what is due until the signal is aborted and nothing is under way any more. */
  run(): Promise<void>
}

/**
 * Does what `reconcile` says: one task at a time for itself, many side by side. The store decides what
 * is so; a crash anywhere leaves a row from which the next leader goes on.
 */
export function createReconciler(deps: {
  readonly installation: string
  readonly tasks: TaskStore
  readonly transitions: Transitions
  readonly definitions: Definitions
  readonly decider: Decider
  readonly scheduler: SchedulerAdapter
  readonly lease: Lease
  readonly drift: Drift
  readonly bell: Bell
  /** Has the scheduler's list read soon. */
  readonly look: () => void
  readonly clock: Clock
  readonly logger: Logger
  readonly meter: Meter
  readonly signal: AbortSignal
}): Reconciler {
  const { tasks, transitions, definitions, decider, scheduler, lease } = deps
  const { drift, bell, look, clock, logger, signal } = deps
  const calls = createUnitCalls(deps)
  const queue = new KeyedQueue()
  const leadingSince = clock.now()
  /**
   * The latest sight of units that wait to run, by task: what they wait for is told where they are given
   * up. Kept here alone, for a start has many steps and a write for each would cost more than all else
   * of it; every list brings it again.
   */
  const waiting = new Map<string, Observation>()

  /** `earlierSettlesAt`: of the calls before this one. False where somebody else has changed the task. */
  async function askToStart(
    current: TaskRecord,
    attempt: Attempt,
    policy: Policy,
    earlierSettlesAt?: Date,
  ): Promise<boolean> {
    const now = clock.now()
    const begun = startCallBegun(current, attempt, policy, now, scheduler.startSettlesMs)
    if ((await transitions.apply(begun, lease)) !== 'applied') return false
    await calls.start(current, begun.attempts[0] ?? attempt, earlierSettlesAt)
    return true
  }

  /** The first start of an attempt, whose row was written for it just before. */
  async function startFirst(taskId: string): Promise<void> {
    const current = await tasks.find(taskId)
    if (current === undefined) return
    const latest = currentAttempt(current)
    if (latest?.state !== 'starting' || latest.confirmedAt !== undefined) return
    const { begunAt } = latest.startCall
    // It waited here for so long that the start has been asked for already: it is due by itself.
    if (isAskedAgain(latest)) return
    if (latest.stop !== undefined) {
      // Nothing was asked, so that nothing can come through.
      return calls.record(taskId, latest.number, (present, attempt, policy) =>
        change(present, policy, { attempt: startAnswered(attempt, begunAt, undefined) }),
      )
    }
    if (clock.now().getTime() - begunAt.getTime() < FRESH_MS) return calls.start(current, latest)
    const policy = await definitions.policy(current.task.definition)
    if (!(await askToStart(current, latest, policy))) await startFirst(taskId)
  }

  async function act(current: TaskRecord, policy: Policy, action: Action): Promise<void> {
    const taskId = current.task.id
    switch (action.kind) {
      case 'none':
        return
      case 'change':
        await transitions.apply(action.change, lease)
        return
      case 'start':
        await askToStart(current, action.attempt, policy, action.attempt.startSettlesAt)
        return
      case 'stop':
        return calls.stop(current, action.attempt, policy)
      case 'fence':
        return calls.fence(current, action.attempt, action.exit)
      case 'release':
        return calls.release(current, action.attempt, action.late)
      case 'record-late': {
        const { attempt, exit } = action
        const late = lateExitRecorded(current, attempt, policy, exit, clock.now())
        if ((await transitions.apply(late, lease)) !== 'applied') return
        const { reason, code } = exit
        logger.warn('attempt.ended-late', { taskId, attempt: attempt.number, reason, code })
        return
      }
      case 'look':
        await calls.record(taskId, action.attempt.number, (latest, attempt, present) =>
          attempt.exit === undefined ? looked(latest, attempt, present, clock.now()) : undefined,
        )
        look()
        return
      case 'decide':
        return decider.decide(taskId, undefined, lease)
    }
  }

  /** Does what is to be done about one task until there is nothing left to do now. */
  async function settle(taskId: string, sighting?: Sighting): Promise<void> {
    for (let done = 0; !signal.aborted; done += 1) {
      await drift.check()
      const current = await tasks.find(taskId)
      if (current === undefined) return
      const policy = await definitions.policy(current.task.definition)
      const lastSeen = waiting.get(taskId)
      const action = reconcile(current, policy, sighting, clock.now(), leadingSince, lastSeen)
      if (action.kind !== 'none') {
        await act(current, policy, action)
        continue
      }
      if (current.task.state !== 'starting') waiting.delete(taskId)
      // It was due, and there is nothing to do: the clock was set back. Its wake time is made anew.
      if (done === 0 && sighting === undefined) {
        await transitions.apply(change(current, policy, {}), lease)
      }
      return
    }
  }

  /** A failure leaves the row as it is; the due time or the next list brings it back. */
  async function attempt(taskId: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof LeaseLost || signal.aborted) return
      const level = error instanceof Unavailable ? 'warn' : 'error'
      logger[level]('reconcile.failed', { taskId, error: errorMessage(error) })
      throw error
    }
  }

  /** After a failure nothing is due sooner than this. */
  const paused = new Map<string, number>()

  async function settleDue(taskId: string): Promise<void> {
    try {
      await queue.run(taskId, () => attempt(taskId, () => settle(taskId)))
      paused.delete(taskId)
    } catch {
      // Reported by `attempt`; only the pause is left to do.
      paused.set(taskId, clock.monotonicMs() + 5_000)
    }
    bell.ring()
  }

  /** Starts what is due; gives how long there is nothing to do. */
  async function pass(): Promise<number> {
    await drift.check()
    const now = clock.now()
    for (const [taskId, until] of paused) if (until <= clock.monotonicMs()) paused.delete(taskId)
    const records = await tasks.due(now, BATCH + queue.size + paused.size)
    const idle = records.filter(({ task }) => !queue.has(task.id) && !paused.has(task.id))
    for (const { task } of idle.slice(0, MOST_AT_A_TIME - queue.size)) void settleDue(task.id)
    if (records.length > 0) return 1_000
    const next = await tasks.nextDue()
    return next === undefined ? LONGEST_SLEEP_MS : next.getTime() - now.getTime()
  }

  return {
    async see(taskId, sighting) {
      const observation = 'observation' in sighting ? sighting.observation : undefined
      if (observation?.phase === 'pending') waiting.set(taskId, observation)
      else waiting.delete(taskId)
      await queue.run(taskId, () => attempt(taskId, () => settle(taskId, sighting)))
    },

    start(taskId) {
      const started = queue.run(taskId, () => attempt(taskId, () => startFirst(taskId)))
      started.catch(() => {
        // Reported by `attempt`; the row is due again by itself.
      })
    },

    async callAgain() {
      const unpause = async (current: TaskRecord) => {
        const latest = currentAttempt(current)
        if (latest === undefined || latest.exit !== undefined) return undefined
        const policy = await definitions.policy(current.task.definition)
        return calledAgain(current, latest, policy)
      }
      const failed = [...(await tasks.callsFailed())]
      const work = async (): Promise<void> => {
        for (let id = failed.pop(); id !== undefined && !signal.aborted; id = failed.pop()) {
          const taskId = id
          // After the call that is being made: where that fails, it pauses no longer than the others.
          const called = () => attempt(taskId, () => transitions.change(taskId, unpause, lease))
          await queue.run(taskId, called).catch(() => {
            // Reported by `attempt`; its pause is left to it.
          })
        }
      }
      void Promise.all(Array.from({ length: BATCH }, work))
    },

    async run() {
      // What a leader before left in the middle of a call is taken up at once.
      for (const { taskId } of await tasks.liveUnits()) void settleDue(taskId)
      while (!signal.aborted) {
        try {
          const ms = await pass()
          await bell.wait(clock, Math.max(ms, 1), signal)
        } catch (error) {
          if (error instanceof LeaseLost) throw error
          logger.error('reconciler.failed', { error: errorMessage(error) })
          await clock.sleep(1_000, signal)
        }
      }
      await queue.idle()
    },
  }
}
