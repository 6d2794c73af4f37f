import type { Purpose } from '../client/connections.ts'
import type { NomadApi, Query } from '../client/nomad-api.ts'
import { tailOfBoth } from './log-tail.ts'
import { taskStateOf } from '../sight/task-end.ts'
import type { AllocationView } from '../views.ts'
import { decoded } from '../../decoded.ts'

/** The servers ask the node by themselves, and wait for it. */
const SILENCE_MS = 10_000

export type Output = 'stdout' | 'stderr'

/**
 * The end of what an allocation's task has written: at most so many bytes. Empty where there is nothing
 * (it has not started, its node or its files are gone).
 */
export async function tailOf(
  api: NomadApi,
  allocation: AllocationView,
  bytes: number,
  purpose: 'tails' | 'logs',
  signal: AbortSignal,
): Promise<string> {
  if (bytes === 0) return ''
  const [out, err] = await Promise.all(
    (['stdout', 'stderr'] as const).map((type) =>
      gathered(read(api, allocation, type, purpose, { origin: 'end', offset: bytes }, signal)),
    ),
  )
  return tailOfBoth(out ?? Buffer.alloc(0), err ?? Buffer.alloc(0), bytes)
}

/** All that there is: what went to stdout, then what went to stderr. */
export async function* outputOf(
  api: NomadApi,
  allocation: AllocationView,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  yield* decoded(read(api, allocation, 'stdout', 'logs', {}, signal))
  yield* decoded(read(api, allocation, 'stderr', 'logs', {}, signal))
}

async function* read(
  api: NomadApi,
  allocation: AllocationView,
  type: Output,
  purpose: Purpose,
  from: Query,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const query = { ...from, type, task: taskName(allocation), plain: true }
  const options = { signal, query, purpose, silenceMs: SILENCE_MS }
  const stream = await api.stream(logsPath(allocation), options)
  if (stream !== undefined) yield* stream
}

export function logsPath({ ID }: AllocationView): string {
  return `/v1/client/fs/logs/${ID}`
}

/** The one task of its group; before it is there nothing can be read of it. */
export function taskName({ TaskStates }: AllocationView): string {
  return Object.keys(TaskStates ?? {})[0] ?? ''
}

/** Whether it has been running: before that there are no logs. */
export function hasStarted(allocation: AllocationView): boolean {
  const startedAt = taskStateOf(allocation)?.StartedAt
  return startedAt !== undefined && startedAt !== null
}

async function gathered(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}
