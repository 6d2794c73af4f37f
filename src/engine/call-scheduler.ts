import { LeaseLost, Rejected, Unavailable, errorMessage } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lease } from '../ports/leadership.ts'
import { aborted } from './aborted.ts'

/**
 * Calls the scheduler with a limit of time, and only while that limit ends before the lease does: a
 * call never outlives the lead that it was made under. Throws `Rejected` as it comes, `LeaseLost` where
 * the lead is over, and everything else as `Unavailable`.
 */
export async function callScheduler<T>(
  how: {
    readonly lease: Lease
    readonly clock: Clock
    readonly signal: AbortSignal
    readonly timeoutMs: number
  },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { lease, clock, signal, timeoutMs } = how
  while (lease.remainingMs() < timeoutMs) {
    if (lease.lost.aborted || signal.aborted) throw new LeaseLost()
    await clock.sleep(100, AbortSignal.any([lease.lost, signal]))
  }
  if (aborted(lease.lost)) throw new LeaseLost()
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    return await work(AbortSignal.any([timeout, lease.lost]))
  } catch (error) {
    if (aborted(lease.lost)) throw new LeaseLost()
    const known =
      error instanceof Rejected || error instanceof Unavailable || error instanceof LeaseLost
    if (known) throw error
    throw new Unavailable('scheduler', errorMessage(error), error)
  }
}
