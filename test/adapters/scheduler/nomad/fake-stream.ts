import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { linesOf } from '../../../../adapters/scheduler/nomad/watch/lines.ts'
import { until } from '../../../support/store.ts'
import type { ToldFrame } from './likeness.ts'

/** A stream of events that is read as it comes. */
export interface ReadStream extends AsyncDisposable {
  /** Heartbeats as well. */
  readonly frames: readonly ToldFrame[]
  /** Resolves once it has ended or was cut. */
  readonly ended: Promise<void>
  until(is: (frames: readonly ToldFrame[]) => boolean, what: string): Promise<void>
}

const TOPICS = ['Allocation', 'Evaluation', 'Job', 'Node']

/** Subscribed once it resolves: the first frame has come. */
export async function readStream(
  address: string,
  { index = Number.MAX_SAFE_INTEGER, topics = TOPICS }: { index?: number; topics?: string[] } = {},
): Promise<ReadStream> {
  const query = new URLSearchParams([
    ['index', String(index)],
    ...topics.map((topic): [string, string] => ['topic', topic]),
  ])
  const request = get(`${address}/v1/event/stream?${query.toString()}`)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const frames: ToldFrame[] = []
  const reading = (async () => {
    for await (const line of linesOf(response))
      frames.push(JSON.parse(line.toString()) as ToldFrame)
  })()
  // It ends by being cut, by us or by the fake.
  const ended = reading.catch(() => undefined)
  await until(() => frames.length > 0, 'the first heartbeat')
  return {
    frames,
    ended,
    until: (is, what) => until(() => is(frames), what, 20_000),
    async [Symbol.asyncDispose]() {
      request.destroy()
      await ended
    },
  }
}
