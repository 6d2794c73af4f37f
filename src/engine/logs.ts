import type { Attempt, TaskRecord } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import type { TaskStore } from '../ports/task-store.ts'

/** How long a follower waits before it looks again for a unit that is not there yet. */
const LOOK_AGAIN_MS = 500

export interface LogQuery {
  readonly taskId: string
  readonly attempt: number
  /** Only so much of the end, cut at a whole character. */
  readonly tailBytes?: number
  /** Goes on until the attempt is over. */
  readonly follow?: boolean
  readonly signal: AbortSignal
}

export type LogAnswer =
  | { readonly kind: 'unknown-task' }
  | { readonly kind: 'unknown-attempt' }
  /** Reading may throw what the scheduler throws; it ends early where the signal is aborted. */
  | { readonly kind: 'output'; readonly chunks: AsyncIterable<string> }

/**
 * What an attempt has written: from the scheduler as long as it holds the unit, from the attempt's exit
 * after that.
 */
export async function attemptLogs(
  deps: {
    readonly tasks: Pick<TaskStore, 'find'>
    readonly scheduler: Pick<SchedulerAdapter, 'logs'>
    readonly clock: Pick<Clock, 'sleep'>
  },
  query: LogQuery,
): Promise<LogAnswer> {
  const record = await deps.tasks.find(query.taskId)
  if (record === undefined) return { kind: 'unknown-task' }
  const attempt = attemptOf(record, query.attempt)
  if (attempt === undefined) return { kind: 'unknown-attempt' }
  return { kind: 'output', chunks: read(deps, query, attempt) }
}

async function* read(
  { tasks, scheduler, clock }: Parameters<typeof attemptLogs>[0],
  query: LogQuery,
  first: Attempt,
): AsyncGenerator<string, void, undefined> {
  const { signal, tailBytes, follow = false } = query
  const left = () => signal.aborted
  let attempt: Attempt | undefined = first
  while (attempt !== undefined && !left()) {
    if (attempt.releasedAt === undefined) {
      let any = false
      const options = { ...(tailBytes !== undefined && { tailBytes }), follow, signal }
      for await (const chunk of scheduler.logs(attempt.unit, options)) {
        if (left()) return
        any ||= chunk !== ''
        yield chunk
      }
      if (any) return
      // Nothing: silent, not placed yet, or removed since the row was read. The row knows which.
      const record = await tasks.find(query.taskId)
      attempt = record && attemptOf(record, query.attempt)
    }
    if (attempt?.state === 'exited') {
      const tail = lastBytes(attempt.exit?.logTail ?? '', tailBytes)
      if (tail !== '') yield tail
      return
    }
    if (!follow) return
    await clock.sleep(LOOK_AGAIN_MS, signal)
  }
}

function attemptOf({ attempts }: TaskRecord, number: number): Attempt | undefined {
  return attempts.find((attempt) => attempt.number === number)
}

/** At most so many bytes of the end, beginning with a whole character. */
function lastBytes(text: string, most: number | undefined): string {
  const bytes = Buffer.from(text)
  if (most === undefined || bytes.length <= most) return text
  let from = bytes.length - most
  // 10xxxxxx goes on with a character that was begun before.
  while (from < bytes.length && ((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1
  return bytes.subarray(from).toString()
}
