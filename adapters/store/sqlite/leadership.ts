import { LeaseLost } from '../../../src/core/errors.ts'
import type { Leadership, Lease } from '../../../src/ports/leadership.ts'
import type { Driver } from '../sql/driver.ts'
import { sql } from '../sql/statement.ts'
import { Turns } from '../sql/turns.ts'
import { integer } from '../sql/values.ts'

/**
 * The file's lock is the lease: who has the store open leads, and no other process can. A lease lasts
 * until it is given up. Within the process they are taken one after another.
 */
export function fileLeadership(driver: Driver, owner: string): Leadership {
  const turns = new Turns()
  return {
    async acquire(signal) {
      const endTurn = await turns.take(signal)
      try {
        return lease(await nextEpoch(driver, owner), endTurn)
      } catch (error) {
        endTurn()
        throw error
      }
    },
  }
}

/** Takes the next epoch: whatever an earlier one still wants to write is refused. */
export function nextEpoch(driver: Driver, owner: string): Promise<number> {
  return driver.write(function* () {
    const [row] = yield sql`INSERT INTO leases (epoch, owner)
      SELECT COALESCE(MAX(epoch), 0) + 1, ${owner} FROM leases WHERE 1 = 1 RETURNING epoch`
    const epoch = row ? integer(row, 'epoch') : 0
    yield sql`DELETE FROM leases WHERE epoch < ${epoch}`
    return epoch
  })
}

function lease(epoch: number, giveUp: () => void): Lease {
  const lost = new AbortController()
  return {
    epoch,
    lost: lost.signal,
    remainingMs: () => (lost.signal.aborted ? 0 : Infinity),
    [Symbol.asyncDispose]() {
      lost.abort(new LeaseLost('the lead has been given up'))
      giveUp()
      return Promise.resolve()
    },
  }
}
