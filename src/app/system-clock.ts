import { setTimeout as timer } from 'node:timers/promises'
import type { Clock } from '../ports/clock.ts'

/** The machine's clocks. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await timer(ms, undefined, signal === undefined ? {} : { signal })
    } catch (error) {
      // Being woken by the signal is how a sleep may end; nothing else makes a timer fail.
      if (signal?.aborted !== true) throw error
    }
  },
}
