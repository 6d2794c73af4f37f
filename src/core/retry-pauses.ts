/** After a failed try, a message pauses for the one that its number says. The same on every transport. */
export const RETRY_PAUSES_MS = [1_000, 5_000, 25_000, 125_000, 300_000] as const
const LONGEST_PAUSE_MS = RETRY_PAUSES_MS[4]
export const MOST_TRIES = 10

/** The pause after the n-th failed try, or undefined where it was the last. */
export function pauseAfterMs(failedTries: number): number | undefined {
  if (failedTries >= MOST_TRIES) return undefined
  return RETRY_PAUSES_MS[failedTries - 1] ?? LONGEST_PAUSE_MS
}
