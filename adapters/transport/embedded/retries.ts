import type { MessageError } from '../../../src/ports/message-table.ts'

const PAUSES_MS = [1_000, 5_000, 25_000, 125_000] as const
const LONGEST_PAUSE_MS = 300_000
const MOST_TRIES = 10

/** The pause after the n-th failed try, or undefined where it was the last. */
export function pauseAfterMs(failedTries: number): number | undefined {
  if (failedTries >= MOST_TRIES) return undefined
  return PAUSES_MS[failedTries - 1] ?? LONGEST_PAUSE_MS
}

const STACK_LINES = 5

/** What is kept of an error. */
export function describeError(error: unknown): MessageError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const stack = error.stack?.split('\n').slice(0, STACK_LINES).join('\n')
  return { name: error.name, message: error.message, ...(stack !== undefined && { stack }) }
}

/** bus-core wraps what the handlers threw, workflows once more: the first is the one that tells. */
export function handlersError(error: unknown): unknown {
  if (!(error instanceof Error) || !('rejections' in error)) return error
  const [first] = Array.isArray(error.rejections) ? (error.rejections as unknown[]) : []
  return first === undefined ? error : handlersError(first)
}
