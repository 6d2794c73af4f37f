import type { EventLog, EventPage, EventQuery } from '../../../src/ports/event-log.ts'
import type { Dialect, LogOrder } from './dialect.ts'
import type { Driver, Holding } from './driver.ts'
import { eventOf } from './rows.ts'
import { join, padded, limited, sql, type Statement, type Transaction } from './statement.ts'
import { integer, text } from './values.ts'

/** Where the newest of the purged events stood. */
const PURGED = 'events.purged'

/** The outbox and the log. */
export function createEventLog(driver: Driver, { log }: Dialect, holding: Holding): EventLog {
  return {
    async claim(limit, holdMs) {
      const rows = await holding.claim(limit, holdMs, heads)
      return rows.map(eventOf)
    },

    markSent: (seqs, at) =>
      driver.write(
        function* () {
          if (seqs.length === 0) return
          yield sql`UPDATE events SET sent_at = ${at.getTime()}
            WHERE seq IN (${join(padded(seqs.map(Number)))})`
        },
        {
          topics: ['events'],
          committed: () => {
            holding.settled(seqs)
          },
        },
      ),

    giveBack: (seqs) => holding.free(seqs),

    async read(query) {
      const { page, more } = await driver.read(function* () {
        const page = yield* readPage(log, query)
        if (page.events.length === query.limit) return { page, more: false }
        const [unreadable] = yield sql`SELECT seq FROM events WHERE ${log.unreadable} LIMIT 1`
        return { page, more: unreadable !== undefined }
      })
      // They were told when they were written; when they can be read nobody tells.
      if (more) driver.wake('events', 'soon')
      return page
    },

    end: () =>
      driver.read(function* () {
        const [last] = yield sql`SELECT * FROM events WHERE ${log.readable}
          ORDER BY ${log.descending} LIMIT 1`
        const kept = last ? log.cursorOf(last) : log.origin
        const purged = yield* purgedUpTo(log)
        return log.isBefore(kept, purged) ? purged : kept
      }),

    purge: (before, most, limit) =>
      driver.write(function* () {
        const [newest] = yield sql`SELECT COALESCE(MAX(seq), 0) AS seq FROM events`
        const beyond = newest ? integer(newest, 'seq') - most : 0
        const oldest = yield sql`SELECT * FROM events
          WHERE sent_at IS NOT NULL AND ${log.readable} ORDER BY ${log.ascending} ${limited(limit)}`
        // The log is all but in order of time: one that is out of it is purged a little later.
        const keep = oldest.findIndex(
          (row) => integer(row, 'at') >= before.getTime() && integer(row, 'seq') > beyond,
        )
        const gone = keep === -1 ? oldest : oldest.slice(0, keep)
        const last = gone.at(-1)
        if (!last) return 0
        const seqs = gone.map((row) => integer(row, 'seq'))
        yield sql`DELETE FROM events WHERE seq IN (${join(padded(seqs))})`
        yield sql`INSERT INTO remembered (name, value) VALUES (${PURGED}, ${log.cursorOf(last)})
          ON CONFLICT (name) DO UPDATE SET value = excluded.value`
        return gone.length
      }),
  }
}

/** The oldest unsent event of each task, and each of none. */
function heads(limit: number, free: Statement): Statement {
  return sql`SELECT seq AS key, events.* FROM events
    WHERE sent_at IS NULL AND ${free} AND NOT EXISTS (
      SELECT 1 FROM events AS earlier
      WHERE earlier.task_id = events.task_id AND earlier.sent_at IS NULL AND earlier.seq < events.seq
    ) ORDER BY seq ${limited(limit)}`
}

function* readPage(log: LogOrder, query: EventQuery): Transaction<EventPage> {
  const { after, limit } = query
  const purged = yield* purgedUpTo(log)
  const from = after ?? log.origin
  const gap = after !== undefined && log.isBefore(after, purged)
  const filters = filtersOf(query)
  const conditions = [log.readable, log.after(from), ...filters]

  // With a filter, a page looks at a bounded stretch of the log, and says how far it came.
  let end: string | undefined
  if (filters.length > 0) {
    const stretch = Math.max(1000, 10 * limit)
    const [last] =
      yield sql`SELECT * FROM events WHERE ${join([log.readable, log.after(from)], ' AND ')}
      ORDER BY ${log.ascending} LIMIT 1 OFFSET ${stretch - 1}`
    const [newest] = last
      ? [last]
      : yield sql`SELECT * FROM events WHERE ${log.readable} ORDER BY ${log.descending} LIMIT 1`
    if (newest) {
      end = log.cursorOf(newest)
      conditions.push(log.upTo(end))
    }
  }
  const rows = yield sql`SELECT * FROM events WHERE ${join(conditions, ' AND ')}
    ORDER BY ${log.ascending} ${limited(limit)}`
  const events = rows.map((row) => ({ ...eventOf(row), cursor: log.cursorOf(row) }))
  const reached = events.length < limit ? (end ?? events.at(-1)?.cursor) : events.at(-1)?.cursor
  return {
    events,
    cursor: reached === undefined || log.isBefore(reached, from) ? from : reached,
    gap,
  }
}

function filtersOf({ type, name, task }: EventQuery): readonly Statement[] {
  return [
    ...(type === undefined ? [] : [sql`task_type = ${type}`]),
    ...(name === undefined ? [] : [sql`name = ${name}`]),
    ...(task === undefined ? [] : [sql`task_id = ${task}`]),
  ]
}

function* purgedUpTo(log: LogOrder): Transaction<string> {
  const [row] = yield sql`SELECT value FROM remembered WHERE name = ${PURGED}`
  return row ? text(row, 'value') : log.origin
}
