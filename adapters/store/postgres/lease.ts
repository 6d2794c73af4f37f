import { errorMessage, LeaseLost } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Lease } from '../../../src/ports/leadership.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Driver } from '../sql/driver.ts'
import { sql } from '../sql/statement.ts'
import { DATABASE_NOW } from './dialect.ts'

/** How long the lead lasts unless renewed. */
export const LEASE_MS = 8_000
const RENEW_MS = 2_000
const RENEW_AGAIN_MS = 500
/** How long giving it up may take. */
const GIVE_UP_MS = 3_000

/** This process's clocks at one moment. The wall clock goes on while the machine sleeps, too. */
export interface Moment {
  readonly wallMs: number
  readonly monotonicMs: number
}

export function momentOf(clock: Clock): Moment {
  return { wallMs: clock.now().getTime(), monotonicMs: clock.monotonicMs() }
}

/**
 * A lease that has just been taken, renewed until it is lost or given up. It lasts from before the
 * latest renewal that succeeded was sent, so never longer than the database says, and ends when either
 * of this process's clocks says so: whoever was frozen finds it lost at once, before any timer has run.
 */
export function holdLease(parts: {
  readonly epoch: number
  readonly owner: string
  /** Before the takeover was sent. */
  readonly takenAt: Moment
  readonly driver: Driver
  /** Gives it up in the database. */
  readonly giveUp: () => Promise<void>
  /** Called once it has been given up, or could not be. */
  readonly onEnd: () => void
  readonly clock: Clock
  readonly logger: Logger
}): Lease {
  const { epoch, owner, driver, clock, logger } = parts
  const lost = new AbortController()
  let renewedAt = parts.takenAt

  const remainingMs = () => {
    if (lost.signal.aborted) return 0
    const now = momentOf(clock)
    const goneMs = Math.max(now.wallMs - renewedAt.wallMs, now.monotonicMs - renewedAt.monotonicMs)
    return Math.max(0, LEASE_MS - goneMs)
  }
  const lose = (why: string) => {
    if (!lost.signal.aborted) lost.abort(new LeaseLost(why))
  }
  const isLost = () => {
    if (remainingMs() === 0) lose('the lead has ended: it could not be renewed in time')
    return lost.signal.aborted
  }

  async function renew(): Promise<void> {
    const sentAt = momentOf(clock)
    const renewed = await driver.write(function* () {
      const [row] = yield sql`UPDATE leases SET until = ${DATABASE_NOW} + ${LEASE_MS}::BIGINT
        WHERE epoch = ${epoch} AND owner = ${owner} AND until > ${DATABASE_NOW} RETURNING epoch`
      return row !== undefined
    })
    // What has ended meanwhile does not come to life again.
    if (isLost()) return
    if (renewed) renewedAt = sentAt
    else lose('another process has taken over the lead')
  }

  async function keepRenewing(): Promise<void> {
    let pauseMs = RENEW_MS
    for (;;) {
      await clock.sleep(pauseMs, lost.signal)
      if (isLost()) return
      try {
        await renew()
        pauseMs = RENEW_MS
      } catch (error) {
        logger.warn('lead.unrenewed', { remainingMs: remainingMs(), error: errorMessage(error) })
        pauseMs = RENEW_AGAIN_MS
      }
    }
  }

  /** Beside the renewals, which may hang. */
  async function endInTime(): Promise<void> {
    while (!isLost()) await clock.sleep(Math.max(1, remainingMs()), lost.signal)
  }

  async function giveUp(): Promise<void> {
    const done = new AbortController()
    try {
      await Promise.race([parts.giveUp(), clock.sleep(GIVE_UP_MS, done.signal)])
    } catch (error) {
      logger.warn('lead.kept', { forMs: LEASE_MS, error: errorMessage(error) })
    } finally {
      done.abort()
      parts.onEnd()
    }
  }

  void keepRenewing()
  void endInTime()
  let ended: Promise<void> | undefined
  return {
    epoch,
    get lost() {
      isLost()
      return lost.signal
    },
    remainingMs,
    [Symbol.asyncDispose]() {
      lose('the lead has been given up')
      ended ??= giveUp()
      return ended
    },
  }
}
