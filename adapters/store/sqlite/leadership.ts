import { LeaseLost } from '../../../src/core/errors.ts'
import type { Leadership, Lease } from '../../../src/ports/leadership.ts'
import type { Driver } from '../sql/driver.ts'
import { sql } from '../sql/statement.ts'
import { integer } from '../sql/values.ts'

/**
 * The file's lock is the lease: who has the store open leads, and no other process can. A lease lasts
 * until it is given up. Within the process they are taken one after another.
 */
export function fileLeadership(driver: Driver, owner: string): Leadership {
  let last: Promise<void> = Promise.resolve()
  return {
    async acquire(signal) {
      signal.throwIfAborted()
      const before = last
      const given = Promise.withResolvers<undefined>()
      last = given.promise
      try {
        await orAborted(before, signal)
        const epoch = await nextEpoch(driver, owner)
        return lease(epoch, () => {
          given.resolve(undefined)
        })
      } catch (error) {
        // Whoever waits behind this one waits for the one before it.
        void before.then(() => {
          given.resolve(undefined)
        })
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

async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => {
    aborted.reject(signal.reason as Error)
  }
  signal.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
