import { Unavailable } from '../../src/core/errors.ts'

/** Of one list: what is not complete by then is told as it is. */
const ALL_TOGETHER_MS = 10_000

/**
 * What each comes to, in their order, so many worked on at a time. `complete` is given a signal that is
 * aborted when it must do with what it has. `Unavailable` where the caller's own is aborted: an exit that is
 * told is recorded, with what it has.
 */
export async function completed<T, R>(
  items: readonly T[],
  how: {
    readonly mostAtATime: number
    /** The latest comes first: what has ended last is the most likely not to be recorded yet. */
    readonly changedAt: (item: T) => number
    readonly signal: AbortSignal
  },
  complete: (item: T, limited: AbortSignal) => Promise<R>,
): Promise<readonly R[]> {
  const { mostAtATime, changedAt, signal } = how
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ALL_TOGETHER_MS)])
  const found: R[] = []
  const waiting = [...items.entries()].sort(([, a], [, b]) => changedAt(a) - changedAt(b))
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [i, item] = next
      found[i] = await complete(item, limited)
    }
  }
  await Promise.all(Array.from({ length: mostAtATime }, work))
  if (signal.aborted) throw new Unavailable('aborted', 'the call was given up', signal.reason)
  return found
}
