import { Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'

/**
 * Runs something that must not take longer. When its time is over the signal is aborted and this is
 * `Unavailable`; whether what was begun takes effect is then unknown.
 */
export async function within<T>(
  limitMs: number,
  clock: Clock,
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const done = new AbortController()
  const limit = clock.sleep(limitMs, done.signal).then(() => {
    // Woken because it is done: nobody hears it, and an error with its stack costs.
    if (done.signal.aborted) return undefined as never
    over.abort()
    throw new Unavailable('broker-unavailable', `${what} within ${limitMs} ms`)
  })
  const running = run(over.signal)
  // Whichever comes second is heard by nobody.
  limit.catch(() => undefined)
  running.catch(() => undefined)
  try {
    return await Promise.race([running, limit])
  } finally {
    done.abort(DONE)
  }
}

/** Without a reason of its own, every abort makes an error with a stack. */
const DONE = 'done'

/** Waits for something that need not come to its end, as long as that. */
export async function atMost(limitMs: number, clock: Clock, ending: Promise<void>): Promise<void> {
  const ended = new AbortController()
  const end = ending.finally(() => {
    ended.abort()
  })
  await Promise.race([end, clock.sleep(limitMs, ended.signal)])
}

/** Whether it came to its end before the signal was aborted. */
export async function endedBefore(signal: AbortSignal, ending: Promise<void>): Promise<boolean> {
  if (signal.aborted) return false
  const aborted = Promise.withResolvers<false>()
  const onAbort = () => {
    aborted.resolve(false)
  }
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([ending.then(() => true), aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
