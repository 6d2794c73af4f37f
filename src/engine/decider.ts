import { memoryLimitBytes } from '../core/compose/memory.ts'
import { decide } from '../core/decide.ts'
import { MAX_DECIDE_FAILURES } from '../core/dues.ts'
import { errorMessage, LeaseLost, Unavailable } from '../core/errors.ts'
import { decideFailed, settle } from '../core/lifecycle.ts'
import { attemptsOfRun, currentAttempt, type TaskRecord } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lease } from '../ports/leadership.ts'
import type { Logger } from '../ports/logger.ts'
import type { Definitions } from './definitions.ts'
import type { Transitions } from './transitions.ts'

/** `exited(n)` → what the type's policy says. The workflow calls it, and the leader when that is late. */
export interface Decider {
  /**
   * Decides about the task's recorded exit, once: when it has been decided, or the exit is another
   * attempt's, nothing happens. Throws `Unavailable` and `LeaseLost` as they come; anything else that
   * deciding throws is counted, and after five times the task is stuck.
   */
  decide(taskId: string, attempt?: number, lease?: Lease): Promise<void>
}

export function createDecider(deps: {
  readonly transitions: Transitions
  readonly definitions: Definitions
  readonly clock: Clock
  readonly logger: Logger
  /** In [0, 1). */
  readonly random: () => number
}): Decider {
  const { transitions, definitions, clock, logger, random } = deps

  const undecided = ({ task }: TaskRecord, attempt: number | undefined): boolean =>
    task.state === 'exited' &&
    task.stuck === undefined &&
    (attempt === undefined || attempt === task.attempt)

  return {
    async decide(taskId, attempt, lease) {
      try {
        await transitions.change(
          taskId,
          async (record) => {
            const exit = currentAttempt(record)?.exit
            if (exit === undefined || !undecided(record, attempt)) return undefined
            const type = await definitions.type(record.task.definition)
            const history = attemptsOfRun(record).filter(
              ({ number }) => number < record.task.attempt,
            )
            const memory = record.task.memoryBytes ?? memoryLimitBytes(type.service)
            const now = clock.now()
            const decision = decide(type, history, exit, now, random(), memory)
            return settle(record, type, decision, exit, now)
          },
          lease,
        )
      } catch (error) {
        if (error instanceof Unavailable || error instanceof LeaseLost) throw error
        logger.error('decision.failed', { taskId, error: errorMessage(error) })
        await transitions.change(
          taskId,
          async (record) => {
            if (!undecided(record, attempt)) return undefined
            const policy = await definitions.policy(record.task.definition)
            const message = errorMessage(error)
            return decideFailed(record, policy, message, MAX_DECIDE_FAILURES, clock.now())
          },
          lease,
        )
        throw error
      }
    },
  }
}
