import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'

/** Wall and monotonic clock may differ by so much before it counts as a jump. */
const JUMP_MS = 30_000

/**
 * Watches for jumps of the wall clock (a laptop's lid, a clock step): what was due in so-and-so long
 * stays due in so long, instead of everything firing at once or an hour late.
 */
export interface Drift {
  /** To be awaited before anything is compared with now. */
  check(): Promise<void>
}

export function createDrift(deps: {
  readonly clock: Clock
  readonly logger: Logger
  readonly shift: (ms: number) => Promise<void>
}): Drift {
  const { clock, logger, shift } = deps
  // Whole milliseconds: the store keeps nothing finer.
  const offset = (): number => Math.round(clock.now().getTime() - clock.monotonicMs())
  let known = offset()
  let shifting: Promise<void> | undefined

  async function shiftBy(ms: number): Promise<void> {
    logger.warn('clock.jumped', { seconds: Math.round(ms / 1000) })
    await shift(ms)
    known += ms
  }

  return {
    async check() {
      if (shifting !== undefined) return shifting
      const jump = offset() - known
      if (Math.abs(jump) < JUMP_MS) return
      shifting = shiftBy(jump).finally(() => {
        shifting = undefined
      })
      return shifting
    },
  }
}
