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

/** What a later watch of the same process may go on from. */
export interface KnownDrift extends Drift {
  /** The wall clock's lead over the monotonic one that is known of, in milliseconds. */
  readonly knownMs: number
}

export function createDrift(deps: {
  readonly clock: Clock
  readonly logger: Logger
  readonly shift: (ms: number) => Promise<void>
  /** What an earlier watch of this process knew: jumps since then count. Without it, from now on. */
  readonly knownMs?: number
}): KnownDrift {
  const { clock, logger, shift } = deps
  // Whole milliseconds: the store keeps nothing finer.
  const offset = (): number => Math.round(clock.now().getTime() - clock.monotonicMs())
  let known = deps.knownMs ?? offset()
  let shifting: Promise<void> | undefined

  async function shiftBy(ms: number): Promise<void> {
    logger.warn('clock.jumped', { seconds: Math.round(ms / 1000) })
    await shift(ms)
    known += ms
  }

  return {
    get knownMs() {
      return known
    },
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
