import { Rejected } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type {
  HeldMessage,
  MessageError,
  MessageTable,
  NewMessage,
  StoredDeadLetter,
} from '../../../src/ports/message-table.ts'
import type { Driver, Holding, WriteEffects } from './driver.ts'
import {
  assigned,
  inserted,
  limited,
  sql,
  type Row,
  type Statement,
  type Transaction,
} from './statement.ts'
import { bytes, integer, json, maybeText, present, stored, text, time } from './values.ts'

/** Dead letters are kept for people to look at; beyond this many nobody does, and the oldest go. */
const MOST_DEAD_LETTERS = 100_000

export function createMessageTable(
  driver: Driver,
  holding: Holding,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): MessageTable {
  const settling = (key: string): WriteEffects => ({
    topics: ['messages'],
    committed: () => {
      holding.settled([key])
    },
  })
  return {
    put: (message) =>
      driver.write(
        function* () {
          yield sql`INSERT INTO messages ${inserted(messageColumns(message, clock.now()))}`
        },
        { topics: ['messages'] },
      ),

    async claim(limit, holdMs) {
      const now = clock.now().getTime()
      const rows = await holding.claim(limit, holdMs, (most, free) => {
        return sql`SELECT * FROM messages WHERE buried_at IS NULL AND due_at <= ${now} AND ${free}
          ORDER BY due_at, key ${limited(most)}`
      })
      return rows.map(messageOf)
    },

    renew: (keys, holdMs) => holding.renew(keys, holdMs),

    done: (key) =>
      driver.write(function* () {
        yield sql`DELETE FROM messages WHERE key = ${Number(key)} AND buried_at IS NULL`
      }, settling(key)),

    retry: (key, dueAt, error) =>
      driver.write(function* () {
        const columns = { due_at: dueAt.getTime(), error: stored(error), ...holding.unheld }
        yield sql`UPDATE messages SET tries = tries + 1, ${assigned(columns)}
          WHERE key = ${Number(key)} AND buried_at IS NULL AND ${holding.mine}`
      }, settling(key)),

    giveBack: (key) => holding.free([key]),

    async bury(key, error) {
      const dropped = await driver.write(function* () {
        const buriedAt = clock.now().getTime()
        const columns = { buried_at: buriedAt, error: stored(error), ...holding.unheld }
        yield sql`UPDATE messages SET tries = tries + 1, ${assigned(columns)}
          WHERE key = ${Number(key)} AND buried_at IS NULL AND ${holding.mine}`
        return yield* dropOldest()
      }, settling(key))
      if (dropped > 0) logger.error('dead-letters.dropped', { dropped, kept: MOST_DEAD_LETTERS })
    },

    async nextDue() {
      const row = await holding.firstFree(
        (most, free) => sql`SELECT key, due_at FROM messages WHERE buried_at IS NULL AND ${free}
          ORDER BY due_at, key ${limited(most)}`,
      )
      return row && time(row, 'due_at')
    },

    deadLetters: ({ limit, cursor }) =>
      driver.read(function* () {
        const rows = yield sql`SELECT * FROM messages
          WHERE buried_at IS NOT NULL AND ${before(cursor)}
          ORDER BY buried_at DESC, key DESC ${limited(limit + 1)}`
        const letters = rows.slice(0, limit).map(letterOf)
        const last = letters.at(-1)
        if (rows.length <= limit || !last) return { letters }
        return { letters, next: `${last.at.getTime()}-${last.key}` }
      }),

    deadLetter: (key) =>
      driver.read(function* () {
        const [row] = yield sql`SELECT * FROM messages WHERE ${buried(key)}`
        return row && letterOf(row)
      }),

    replay: (key) =>
      driver.write(
        function* () {
          const rows = yield sql`UPDATE messages
            SET buried_at = NULL, error = NULL, tries = 0, due_at = ${clock.now().getTime()}
            WHERE ${buried(key)} RETURNING key`
          return rows.length > 0
        },
        { topics: ['messages'] },
      ),

    drop: (key) =>
      driver.write(function* () {
        const rows = yield sql`DELETE FROM messages WHERE ${buried(key)} RETURNING key`
        return rows.length > 0
      }),
  }
}

/** The letter of this key. What is no key, as people type it, is simply not there. */
function buried(key: string): Statement {
  return sql`key = ${/^\d{1,15}$/.test(key) ? Number(key) : -1} AND buried_at IS NOT NULL`
}

function before(cursor: string | undefined): Statement {
  if (cursor === undefined) return sql`1 = 1`
  const [, at, key] = /^(\d{1,15})-(\d{1,15})$/.exec(cursor) ?? []
  if (at === undefined || key === undefined) {
    throw new Rejected('bad-cursor', 'this is no cursor of the dead letters')
  }
  return sql`(buried_at, key) < (${Number(at)}, ${Number(key)})`
}

function* dropOldest(): Transaction<number> {
  const [newest] = yield sql`SELECT buried_at, key FROM messages WHERE buried_at IS NOT NULL
    ORDER BY buried_at DESC, key DESC LIMIT 1 OFFSET ${MOST_DEAD_LETTERS}`
  if (!newest) return 0
  const at = integer(newest, 'buried_at')
  const key = integer(newest, 'key')
  const rows = yield sql`DELETE FROM messages
    WHERE buried_at IS NOT NULL AND (buried_at, key) <= (${at}, ${key}) RETURNING key`
  return rows.length
}

function messageColumns({ id, body, headers }: NewMessage, now: Date) {
  return {
    id,
    due_at: now.getTime(),
    tries: 0,
    correlation_id: stored(headers.correlationId),
    attributes: stored(headers.attributes),
    sticky_attributes: stored(headers.stickyAttributes),
    body,
  }
}

function messageOf(row: Row): HeldMessage {
  return {
    key: String(integer(row, 'key')),
    id: text(row, 'id'),
    body: bytes(row, 'body'),
    tries: integer(row, 'tries'),
    headers: present({
      correlationId: maybeText(row, 'correlation_id'),
      attributes: maybeText(row, 'attributes'),
      stickyAttributes: maybeText(row, 'sticky_attributes'),
    }),
  }
}

function letterOf(row: Row): StoredDeadLetter {
  return {
    ...messageOf(row),
    at: time(row, 'buried_at'),
    error: json(row, 'error') as MessageError,
  }
}
