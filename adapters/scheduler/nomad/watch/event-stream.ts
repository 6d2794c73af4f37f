import { Unavailable, errorMessage } from '../../../../src/core/errors.ts'
import type { NomadApi } from '../client/nomad-api.ts'
import type { EventView, FrameView } from '../views.ts'
import { linesOf } from './lines.ts'

/** A heartbeat comes every 30 s (nomad/event_endpoint.go), busy or not; from pools of servers a bit late. */
const SILENCE_MS = 75_000
/** The first one comes at once. */
const FIRST_MS = 10_000

/**
 * No server has got so far: from an index beyond its newest it begins with the newest that it has
 * (nomad/stream/event_buffer.go, StartAtClosest). There is no "from now", and what lies in its buffer is
 * in the lists.
 */
const FROM_THE_NEWEST = Number.MAX_SAFE_INTEGER

/** One key a topic: an object that meets two of them comes twice (nomad/stream/subscription.go). */
const TOPICS = ['Job', 'Allocation', 'Evaluation']

/**
 * Nomad's events. Resolves once subscribed, which the first line says, a heartbeat: since 1.11.2 the
 * answer is 200 before anybody has asked whether the token may (command/agent/event_endpoint.go), and a
 * denial is an end without a line. Throws `Unavailable` where the stream ends by itself, is silent for
 * longer than heartbeats are apart or is no stream of events; ends when the signal is aborted.
 *
 * `mentions`: lines without these bytes are passed over unread.
 */
export async function subscribe(
  api: NomadApi,
  options: {
    readonly signal: AbortSignal
    readonly mentions: string
    readonly silenceMs?: number
    readonly firstMs?: number
  },
): Promise<AsyncIterable<readonly EventView[]>> {
  const { signal, mentions, silenceMs = SILENCE_MS, firstMs = FIRST_MS } = options
  const ended = new AbortController()
  const late = setTimeout(() => {
    ended.abort()
  }, firstMs)
  const until = AbortSignal.any([signal, ended.signal])
  try {
    const chunks = await api.stream('/v1/event/stream', {
      signal: until,
      query: { topic: TOPICS, index: FROM_THE_NEWEST },
      purpose: 'events',
      silenceMs,
    })
    if (chunks === undefined) throw new Unavailable('nomad', 'GET /v1/event/stream: 404')
    const lines = linesOf(chunks)
    const first = await lines.next()
    if (first.done === true) throw new Unavailable('nomad-events', DENIED)
    return eventsOf(first.value, lines, { mentions, signal, ended })
  } catch (error) {
    if (!ended.signal.aborted || signal.aborted) throw error
    const message = `the stream of events: no heartbeat came within ${firstMs} ms`
    throw new Unavailable('nomad-events', message, error)
  } finally {
    clearTimeout(late)
  }
}

const DENIED =
  'the stream of events ended before its first heartbeat: the token may not `read-job` in the namespace, or the servers have `enable_event_broker = false`'

async function* eventsOf(
  first: Buffer,
  lines: AsyncIterable<Buffer>,
  how: {
    readonly mentions: string
    readonly signal: AbortSignal
    readonly ended: AbortController
  },
): AsyncGenerator<readonly EventView[], void, undefined> {
  const { mentions, signal, ended } = how
  try {
    yield* eventsIn(first, mentions)
    for await (const line of lines) yield* eventsIn(line, mentions)
    if (!signal.aborted) throw new Unavailable('nomad-events', 'the stream of events has ended')
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    ended.abort()
  }
}

function* eventsIn(line: Buffer, mentions: string): Generator<readonly EventView[]> {
  if (!line.includes(mentions)) return
  const { Events: events } = frameIn(line)
  if (events !== undefined && events !== null) yield events
}

function frameIn(line: Buffer): FrameView {
  try {
    return JSON.parse(line.toString()) as FrameView
  } catch (error) {
    // An error that is found too late for a status is appended as text (command/agent/http.go).
    const message = `no event came, but ${line.toString().slice(0, 200)}: ${errorMessage(error)}`
    throw new Unavailable('nomad-events', message, error)
  }
}
