import type { JsonObject } from '../core/json.ts'
import type { EventLog, EventPage, EventQuery } from '../ports/event-log.ts'
import type { EventBell } from './event-bell.ts'

/** Events read at a time: the most that a reader holds in memory. */
const PAGE = 50
const KEEP_ALIVE_MS = 15_000

export interface EventStreamQuery extends Pick<EventQuery, 'type' | 'name' | 'task'> {
  /** Absent: from now on. `0`: from the oldest kept. */
  readonly after?: string
}

/**
 * The log as server-sent events, from a place that is fixed when this resolves: nothing that is written
 * afterwards is missed. Reads on only as fast as it is consumed. Ends when the signal is aborted.
 *
 * Throws `Rejected` (`bad-cursor`) for what is no cursor; reading may throw `Unavailable`.
 */
export async function eventStream(
  deps: {
    readonly events: Pick<EventLog, 'read' | 'end'>
    readonly bell: EventBell
    readonly keepAliveMs?: number
  },
  { after, ...filters }: EventStreamQuery,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  const { events, bell, keepAliveMs = KEEP_ALIVE_MS } = deps
  const read = (cursor: string | undefined): Promise<EventPage> =>
    events.read({ ...filters, limit: PAGE, ...(cursor !== undefined && { after: cursor }) })
  const start = after === '0' ? undefined : (after ?? (await events.end()))
  const first = await read(start)

  async function* frames(): AsyncGenerator<string, void, undefined> {
    const left = () => signal.aborted
    using reader = bell.reader()
    let [cursor, page] = [start, first]
    let gapAt: string | undefined
    yield ': ready\n\n'
    while (!left()) {
      if (page.gap && gapAt !== cursor) {
        gapAt = cursor
        yield frame('longhaul/gap', { after: cursor ?? '0' })
      }
      for (const event of page.events) {
        const { message, correlationId, attributes, stickyAttributes } = event
        const data: JsonObject = {
          message,
          ...(correlationId !== undefined && { correlationId }),
          attributes,
          stickyAttributes,
        }
        yield frame(event.name, data, event.cursor)
        if (left()) return
      }
      // With a filter a page may be empty though there is more: the end is where it leads no further.
      const caughtUp = page.cursor === cursor
      cursor = page.cursor
      if (caughtUp && !(await reader.rung(keepAliveMs, signal)) && !left()) {
        yield ': still here\n\n'
      }
      if (left()) return
      // Also without having been rung: a wake-up that was lost delays, and loses nothing.
      page = await read(cursor)
    }
  }
  return frames()
}

/** JSON holds no line breaks; a name from an operator's file might. */
function frame(name: string, data: JsonObject, cursor?: string): string {
  const id = cursor === undefined ? '' : `id: ${cursor}\n`
  return `${id}event: ${name.replace(/[\r\n]/g, ' ')}\ndata: ${JSON.stringify(data)}\n\n`
}
