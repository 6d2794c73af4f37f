import * as calls from '../core/attempt-calls.ts'
import { exitRecorded } from '../core/attempts.ts'
import { change, type Change } from '../core/change.ts'
import { CALL_TIMEOUT_MS, type Policy } from '../core/dues.ts'
import { errorMessage, LeaseLost, Rejected } from '../core/errors.ts'
import { type ObservedExit, reasonOfRefusal } from '../core/exit.ts'
import type { Attempt, TaskRecord } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lease } from '../ports/leadership.ts'
import type { Logger } from '../ports/logger.ts'
import type { Meter } from '../ports/meter.ts'
import type { SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import { callScheduler } from './call-scheduler.ts'
import type { Definitions } from './definitions.ts'
import type { Transitions } from './transitions.ts'
import { unitSpecFor } from './unit-spec.ts'

const LOG_TAIL_TIMEOUT_MS = 3_000

/**
 * What is asked of the scheduler about a unit, each with the recording of what came of it: on success
 * the change that it makes true, on failure a pause that grows. Throws `LeaseLost` and what the store
 * throws.
 */
export interface UnitCalls {
  /**
   * The attempt as it was written before this call. `earlierSettlesAt`: until then a start call before it
   * may still come through; absent: none can.
   */
  start(record: TaskRecord, attempt: Attempt, earlierSettlesAt?: Date): Promise<void>
  stop(record: TaskRecord, attempt: Attempt, policy: Policy): Promise<void>
  /** Removes the unit, and only then records that the attempt ended so. */
  fence(record: TaskRecord, attempt: Attempt, exit: ObservedExit): Promise<void>
  release(record: TaskRecord, attempt: Attempt, late: boolean): Promise<void>
  /** Records a change on the attempt as it is by then; `undefined` from `compute` changes nothing. */
  record(
    taskId: string,
    number: number,
    compute: (record: TaskRecord, attempt: Attempt, policy: Policy) => Change | undefined,
  ): Promise<void>
}

export function createUnitCalls(deps: {
  readonly installation: string
  readonly transitions: Transitions
  readonly definitions: Definitions
  readonly scheduler: SchedulerAdapter
  readonly lease: Lease
  readonly look: () => void
  readonly clock: Clock
  readonly logger: Logger
  readonly meter: Meter
  readonly signal: AbortSignal
}): UnitCalls {
  const { installation, transitions, definitions, scheduler, lease } = deps
  const { look, clock, logger, meter, signal } = deps

  /** One call under the lease; its failure is the caller's to record. */
  const call = <T>(
    kind: keyof typeof CALL_TIMEOUT_MS,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => callScheduler({ lease, clock, signal, timeoutMs: CALL_TIMEOUT_MS[kind] }, work)

  /** Records what came of a call, on the attempt as it is by then. */
  async function record(
    taskId: string,
    number: number,
    compute: (record: TaskRecord, attempt: Attempt, policy: Policy) => Change | undefined,
  ): Promise<void> {
    await transitions.change(
      taskId,
      async (current) => {
        const attempt = current.attempts.find((candidate) => candidate.number === number)
        if (attempt === undefined) return undefined
        return compute(current, attempt, await definitions.policy(current.task.definition))
      },
      lease,
    )
  }

  async function failed(
    taskId: string,
    attempt: Attempt,
    kind: keyof typeof CALL_TIMEOUT_MS,
    error: unknown,
    known: (latest: Attempt) => Attempt = (latest) => latest,
  ): Promise<void> {
    if (error instanceof LeaseLost) throw error
    logger.warn(`${kind}.failed`, {
      taskId,
      attempt: attempt.number,
      failures: attempt.callFailures + 1,
      error: errorMessage(error),
    })
    await record(taskId, attempt.number, (current, latest, policy) =>
      latest.exit !== undefined && kind !== 'remove'
        ? undefined
        : calls.callFailed(current, known(latest), policy, kind, clock.now()),
    )
  }

  async function startUnit(
    started: TaskRecord,
    attempt: Attempt,
    earlierSettlesAt?: Date,
  ): Promise<void> {
    const { task } = started
    const { number } = attempt
    const progress = { asked: false }
    let wanted: boolean
    /** For what is certain of this call: that it was answered, or never made. */
    const answered = (latest: Attempt): Attempt =>
      calls.startAnswered(latest, attempt.startCall.begunAt, earlierSettlesAt)
    try {
      const type = await definitions.type(task.definition)
      const unitWith = (image?: string) =>
        unitSpecFor(installation, type, task, { ...attempt, ...(image !== undefined && { image }) })
      wanted = await call('start', async (aborted) => {
        const image =
          attempt.image === undefined ? await scheduler.resolve?.(unitWith(), aborted) : undefined
        if (image !== undefined && !(await keepImage(task.id, number, image))) return false
        progress.asked = true
        await scheduler.start(unitWith(image), aborted)
        return true
      })
    } catch (error) {
      if (!(error instanceof Rejected)) {
        return failed(task.id, attempt, 'start', error, progress.asked ? undefined : answered)
      }
      const exit: ObservedExit = { reason: reasonOfRefusal(error.code), message: error.message }
      if (error.code !== 'identity') {
        if (await refusedForGood(task.id, number, answered, error)) {
          // An earlier call, of which nothing was heard, may have come through before this was refused.
          await fence(started, attempt, exit)
        }
        return
      }
      // Under its name is what is not its own, and no call of ours may touch.
      return record(task.id, number, (current, latest, policy) =>
        latest.exit === undefined
          ? exitRecorded(current, answered(latest), policy, exit, clock.now(), { gone: true })
          : undefined,
      )
    }
    await record(task.id, number, (current, latest, policy) => {
      if (latest.exit !== undefined || latest.confirmedAt !== undefined) return undefined
      const known = answered(latest)
      return wanted
        ? calls.startConfirmed(current, known, policy, clock.now())
        : change(current, policy, { attempt: known })
    })
  }

  /** Records the refusal; false where it is not the end, for a call before may still come through. */
  async function refusedForGood(
    taskId: string,
    number: number,
    answered: (latest: Attempt) => Attempt,
    { message: error }: Rejected,
  ): Promise<boolean> {
    let againAt: Date | undefined
    await record(taskId, number, (current, latest, policy) => {
      if (latest.exit !== undefined || latest.confirmedAt !== undefined) return undefined
      const refused = calls.startRefused(current, answered(latest), policy, clock.now())
      againAt = refused.attempts[0]?.callAgainAt
      return refused
    })
    if (againAt === undefined) return true
    logger.warn('start.refused-early', { taskId, attempt: number, error, againAt })
    return false
  }

  /**
   * Between the row's `starting(n)` and the start: a leader that ends before this asks the registry anew
   * and nothing has run yet, one that ends after it leaves the digest to the next. Only where the
   * registry had nothing to say, and the attempt was started by its tag, may the run's next attempt be
   * its first with a digest. False where a stop has come meanwhile: then nothing is started any more.
   */
  async function keepImage(taskId: string, number: number, image: string): Promise<boolean> {
    let wanted = false
    await record(taskId, number, (current, latest, policy) => {
      wanted = latest.exit === undefined && latest.stop === undefined
      return wanted ? calls.imageResolved(current, latest, policy, image) : undefined
    })
    return wanted
  }

  async function stopUnit({ task }: TaskRecord, attempt: Attempt, policy: Policy): Promise<void> {
    const logTail =
      attempt.stop?.calledAt === undefined
        ? await logTailOf(attempt.unit, policy.keep.logTailBytes)
        : undefined
    try {
      await call('stop', (aborted) => scheduler.stop(attempt.unit, aborted))
    } catch (error) {
      return failed(task.id, attempt, 'stop', error)
    }
    // It should be over by now: the news of it may have been lost.
    if (attempt.stop?.calledAt !== undefined) look()
    await record(task.id, attempt.number, (current, latest, present) =>
      latest.exit === undefined
        ? calls.stopCalled(current, latest, present, clock.now(), logTail)
        : undefined,
    )
  }

  /** Worth having, not worth waiting for. */
  async function logTailOf(unit: string, tailBytes: number): Promise<string | undefined> {
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(LOG_TAIL_TIMEOUT_MS)])
      let tail = ''
      for await (const chunk of scheduler.logs(unit, { tailBytes, signal: limited })) tail += chunk
      return tail
    } catch (error) {
      logger.debug('log-tail.failed', { unit, error: errorMessage(error) })
      return undefined
    }
  }

  async function fence({ task }: TaskRecord, attempt: Attempt, exit: ObservedExit): Promise<void> {
    try {
      await call('remove', (aborted) => scheduler.remove(attempt.unit, aborted))
    } catch (error) {
      return failed(task.id, attempt, 'remove', error)
    }
    await record(task.id, attempt.number, (current, latest, policy) =>
      latest.exit === undefined
        ? exitRecorded(current, latest, policy, exit, clock.now(), { gone: true })
        : undefined,
    )
  }

  async function release({ task }: TaskRecord, attempt: Attempt, late: boolean): Promise<void> {
    if (late) {
      meter.lateCopy()
      const unit = attempt.unit
      logger.warn('unit.late', { taskId: task.id, attempt: attempt.number, unit })
    }
    try {
      await call('remove', (aborted) => scheduler.remove(attempt.unit, aborted))
    } catch (error) {
      return failed(task.id, attempt, 'remove', error)
    }
    await record(task.id, attempt.number, (current, latest, policy) =>
      calls.released(current, latest, policy, clock.now()),
    )
  }

  return { start: startUnit, stop: stopUnit, fence, release, record }
}
