import { change } from '../core/change.ts'
import { later } from '../core/dues.ts'
import { errorMessage, LeaseLost } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { EventLog } from '../ports/event-log.ts'
import type { Lease } from '../ports/leadership.ts'
import type { Logger } from '../ports/logger.ts'
import type { TaskStore } from '../ports/task-store.ts'
import type { Definitions } from './definitions.ts'
import type { Transitions } from './transitions.ts'

/** How often, and how much of it in one transaction. */
const EVERY_MS = 60_000
const BATCH = 200
/** Units of failures kept for people to look at, of each type. */
const KEPT_UNITS = 50
/** Sent events are kept in the log for so long, and so many. */
const EVENTS_KEPT_MS = 7 * 86_400_000
const EVENTS_KEPT = 2_000_000

/** What grows is kept within its bounds, in small batches: old tasks, old events, kept units. */
export async function runHousekeeping(deps: {
  readonly tasks: TaskStore
  readonly events: EventLog
  readonly transitions: Transitions
  readonly definitions: Definitions
  readonly lease: Lease
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}): Promise<void> {
  const { tasks, events, transitions, definitions, lease, clock, logger, signal } = deps

  async function untilNoMore(batch: () => Promise<number>): Promise<number> {
    let total = 0
    while (!signal.aborted) {
      const done = await batch()
      total += done
      if (done < BATCH) break
    }
    return total
  }

  async function releaseOverKept(): Promise<number> {
    const records = await tasks.overKept(KEPT_UNITS, clock.now(), BATCH)
    let released = 0
    for (const { task } of records) {
      const result = await transitions.change(
        task.id,
        async (record) => {
          const kept = record.attempts.find(
            ({ exit, releasedAt, releaseAt, startSettlesAt }) =>
              exit && !releasedAt && releaseAt && releaseAt > later(clock.now(), startSettlesAt),
          )
          if (kept === undefined) return undefined
          const policy = await definitions.policy(record.task.definition)
          const releaseAt = later(clock.now(), kept.startSettlesAt)
          return change(record, policy, { attempt: { ...kept, releaseAt } })
        },
        lease,
      )
      if (result === 'applied') released += 1
    }
    // What was changed, not what was found: a batch in which nothing is must be the last.
    return released
  }

  while (!signal.aborted) {
    try {
      await untilNoMore(releaseOverKept)
      const purged = await untilNoMore(() => tasks.purge(clock.now(), BATCH, lease))
      if (purged > 0) logger.info('tasks.purged', { count: purged })
      const before = new Date(clock.now().getTime() - EVENTS_KEPT_MS)
      await untilNoMore(() => events.purge(before, EVENTS_KEPT, BATCH))
    } catch (error) {
      if (error instanceof LeaseLost) throw error
      logger.warn('housekeeping.failed', { error: errorMessage(error) })
    }
    await clock.sleep(EVERY_MS, signal)
  }
}
