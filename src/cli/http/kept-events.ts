import { Unavailable } from '../../core/errors.ts'
import type { Client } from './client.ts'
import { toldEvent, type ToldEvent } from './event-follower.ts'
import { quietReader } from './quiet-reader.ts'

/** So long nothing must come before the end is looked for. */
const QUIET_MS = 250
/** How many events back the first new one is looked for. */
const RECENT = 256

/**
 * The events that the daemon keeps at the time of the call, oldest first.
 *
 * A stream of events does not say where its end is. So: what comes on a second stream, which began with
 * the call, is beyond it; and where nothing comes for a while, a stream is opened at the last event seen:
 * the daemon reads a page before it says `ready`, so one that stays quiet after that is at the end. Not
 * filtered by the daemon: with a filter, quiet may also mean that it is searching.
 */
export async function* keptEvents(
  client: Pick<Client, 'events'>,
  signal: AbortSignal,
): AsyncGenerator<ToldEvent, void, undefined> {
  using done = new Ending(signal)
  const beyond = await firstNewEvent(client, done.signal)
  const recent: string[] = []
  let last: string | undefined
  for (let moved = true; moved;) {
    moved = false
    using left = new Ending(done.signal)
    const reader = quietReader(await client.events({ after: last ?? '0' }, left.signal))
    let isReady = false
    for (;;) {
      const item = await reader.next(isReady ? QUIET_MS : undefined)
      if (item === 'quiet') break
      if (item === 'ended') throw new Unavailable('ended', 'the daemon has closed the stream')
      if (item.kind === 'comment') isReady ||= item.text === 'ready'
      else if (item.name !== 'longhaul/gap') {
        const event = toldEvent(item)
        if (event.id === beyond.id) return
        yield event
        last = event.id
        moved = true
        recent.push(event.id)
        if (recent.length > RECENT) recent.shift()
      }
      if (beyond.id !== undefined && recent.includes(beyond.id)) return
    }
  }
}

/** Resolves once nothing that is written from now on is missed; `id` is set when something comes. */
async function firstNewEvent(
  client: Pick<Client, 'events'>,
  signal: AbortSignal,
): Promise<{ readonly id: string | undefined }> {
  const found: { id: string | undefined } = { id: undefined }
  const stream = await client.events({}, signal)
  const ready = Promise.withResolvers<undefined>()
  const read = async () => {
    for await (const item of stream) {
      if (item.kind === 'comment') ready.resolve(undefined)
      else {
        found.id = item.id
        return
      }
    }
  }
  // Once it is ready: what breaks this stream breaks the other one too, and that one says so.
  read().catch((error: unknown) => {
    ready.reject(error)
  })
  await ready.promise
  return found
}

/** Aborted when it is left, or with the signal around it. */
class Ending implements Disposable {
  readonly #own = new AbortController()
  readonly signal: AbortSignal
  constructor(around: AbortSignal) {
    this.signal = AbortSignal.any([this.#own.signal, around])
  }
  [Symbol.dispose](): void {
    this.#own.abort()
  }
}
