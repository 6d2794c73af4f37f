/**
 * How long a task must have waited to stand level with one whose priority is one higher. Priorities
 * order the queue; waiting makes up for them, so that nothing starves.
 */
const AGE_PER_PRIORITY_MS = 600_000

/** Priorities that a type or a command may have. */
export const PRIORITY = { min: -1000, max: 1000 } as const

/** Where a queued task stands: the lowest rank starts first. Fixed while the task is queued. */
export function startRank(priority: number, dueAt: Date): number {
  return dueAt.getTime() - priority * AGE_PER_PRIORITY_MS
}
