import { Unavailable } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5_000

/**
 * Opens it as soon as it is there: a service may come up after its daemon. Throws the signal's reason
 * when that is aborted first, and whatever opening throws that is not `Unavailable`.
 */
export async function whenAvailable<T>(
  what: string,
  open: () => Promise<T>,
  { clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal },
): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      logger.warn(`${what}.awaited`, { pauseMs, error: error.message })
    }
    await clock.sleep(pauseMs, signal)
    signal.throwIfAborted()
  }
}
