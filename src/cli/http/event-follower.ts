import { setTimeout as pause } from 'node:timers/promises'
import { errorMessage, Unavailable } from '../../core/errors.ts'
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { jsonIn } from './json-in.ts'
import type { Client, EventQuery } from './client.ts'
import { Refused } from './refused.ts'
import type { ServerSent } from './sse-parser.ts'

export type Followed =
  /** Nothing that is written from here on is missed. `again`: after the daemon was away. */
  | { readonly kind: 'connected'; readonly again: boolean }
  /** A sign of life in a silence. */
  | { readonly kind: 'alive' }
  /** The daemon does not answer, and is asked again and again. */
  | { readonly kind: 'away'; readonly why: string }
  /** Events have been purged before they could be read. */
  | { readonly kind: 'gap' }
  | { readonly kind: 'event'; readonly event: ToldEvent }

export interface ToldEvent {
  readonly id: string
  readonly name: string
  /** `message` and what goes with it. */
  readonly data: JsonObject
  readonly message: JsonObject
}

const PAUSE_MS = { first: 250, most: 5_000 }

/**
 * Events for as long as somebody reads, over restarts of the daemon: each is read on from the last one
 * seen. `query` is asked anew for every connection. What goes wrong before the first connection
 * stands is thrown; after it only what does not pass. An aborted signal throws its reason.
 */
export async function* followEvents(
  client: Pick<Client, 'events'>,
  query: () => EventQuery,
  signal: AbortSignal,
): AsyncGenerator<Followed, void, undefined> {
  let last: string | undefined
  let connectedOnce = false
  let away = false
  let pauseMs = PAUSE_MS.first
  for (;;) {
    try {
      const stream = await client.events({ ...query(), ...(last && { after: last }) }, signal)
      for await (const item of stream) {
        if (item.kind === 'comment' && item.text === 'ready') {
          yield { kind: 'connected', again: connectedOnce }
          connectedOnce = true
          away = false
          pauseMs = PAUSE_MS.first
        } else if (item.kind === 'comment') yield { kind: 'alive' }
        else if (item.name === 'longhaul/gap') yield { kind: 'gap' }
        else {
          const event = toldEvent(item)
          yield { kind: 'event', event }
          last = event.id
        }
      }
      throw new Unavailable('ended', 'the daemon has closed the stream')
    } catch (error) {
      if (signal.aborted || !connectedOnce) throw error
      if (last !== undefined && isLostPlace(error)) {
        last = undefined
        yield { kind: 'gap' }
        continue
      }
      if (!isPassing(error)) throw error
      if (!away) yield { kind: 'away', why: errorMessage(error) }
      away = true
    }
    await pause(pauseMs, undefined, { signal })
    pauseMs = Math.min(2 * pauseMs, PAUSE_MS.most)
  }
}

/** The daemon is away, or something that it needs is: it is worth asking again. */
export function isPassing(error: unknown): boolean {
  return error instanceof Unavailable || (error instanceof Refused && error.status >= 500)
}

/** The store is another one than before. */
function isLostPlace(error: unknown): boolean {
  return error instanceof Refused && error.code === 'bad-cursor'
}

/** An event as the daemon tells it. Throws `Unavailable` for what no daemon says. */
export function toldEvent({ id, name, data: text }: ServerSent & { kind: 'event' }): ToldEvent {
  const data = jsonIn(text)
  const message = isJsonObject(data) ? data['message'] : undefined
  if (id === undefined || !isJsonObject(data) || !isJsonObject(message)) {
    throw new Unavailable('no-event', `the stream of events holds something else: ${name}`)
  }
  return { id, name, data, message }
}
