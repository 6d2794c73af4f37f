import { errorMessage, Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Leadership, Lease } from '../../../src/ports/leadership.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Driver } from '../sql/driver.ts'
import { raw, sql, type Transaction } from '../sql/statement.ts'
import { Turns } from '../sql/turns.ts'
import { integer } from '../sql/values.ts'
import { DATABASE_NOW } from './dialect.ts'
import { holdLease, LEASE_MS, momentOf } from './lease.ts'
import type { Wakes } from './wakes.ts'

/** How often somebody who waits for the lead looks whether it has ended. */
const LOOK_MS = 1_000

/**
 * The lead is one row, and a takeover gives it the next epoch, by the database's clock. A leader's
 * transaction locks the row's key (see `leaseGuard`): a renewal passes that, a takeover waits for it,
 * so that nothing of an epoch is committed once the next has begun. Within the process the lead is
 * taken by one after another.
 */
export function rowLeadership(parts: {
  /** Over connections of its own: renewals wait behind nobody. */
  readonly driver: Driver
  readonly wakes: Wakes
  /** Drawn anew for every opening of the store. */
  readonly owner: string
  readonly clock: Clock
  readonly logger: Logger
}): Leadership {
  const { driver, wakes, owner, clock, logger } = parts
  const turns = new Turns()

  async function take(signal: AbortSignal, onEnd: () => void): Promise<Lease> {
    for (let away = false; ;) {
      const takenAt = momentOf(clock)
      try {
        const epoch = await driver.write(() => takeOver(owner))
        const giveUp = () => driver.write(() => giveUpLead(wakes, epoch ?? 0, owner))
        if (epoch !== undefined) return holdLease({ ...parts, epoch, takenAt, giveUp, onEnd })
        away = false
      } catch (error) {
        if (!(error instanceof Unavailable) || error.code === 'store-closed') throw error
        if (!away) logger.warn('lead.unavailable', { error: errorMessage(error) })
        away = true
      }
      await lookAgain(signal)
      signal.throwIfAborted()
    }
  }

  /** Resolves when somebody has given the lead up, or after a while. */
  async function lookAgain(signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    const end = wakes.onWrite('lead', () => {
      woken.abort()
    })
    await clock.sleep(LOOK_MS, AbortSignal.any([signal, woken.signal]))
    end()
  }

  return {
    async acquire(signal) {
      const endTurn = await turns.take(signal)
      try {
        const lease = await take(signal, endTurn)
        if (!signal.aborted) return lease
        await lease[Symbol.asyncDispose]()
        throw signal.reason
      } catch (error) {
        endTurn()
        throw error
      }
    },
  }
}

/**
 * Gives the new epoch where the lead has ended. It is also taken from whoever had it of this process:
 * that one could not say that it gave it up, or never knew that it had it.
 */
function* takeOver(owner: string): Transaction<number | undefined> {
  const until = sql`${DATABASE_NOW} + ${LEASE_MS}::BIGINT`
  const [taken] = yield sql`UPDATE leases SET epoch = epoch + 1, owner = ${owner}, until = ${until}
    WHERE until <= ${DATABASE_NOW} OR owner = ${owner} RETURNING epoch`
  if (taken) return integer(taken, 'epoch')
  const [first] = yield sql`INSERT INTO leases (epoch, owner, until)
    SELECT 1, ${owner}::TEXT, ${until} WHERE NOT EXISTS (SELECT 1 FROM leases)
    ON CONFLICT (epoch) DO NOTHING RETURNING epoch`
  return first && integer(first, 'epoch')
}

/** Others may take it at once, and are told. */
function* giveUpLead(wakes: Wakes, epoch: number, owner: string): Transaction<void> {
  yield sql`UPDATE leases SET until = 0 WHERE epoch = ${epoch} AND owner = ${owner}`
  yield raw(wakes.telling(['lead']))
}
