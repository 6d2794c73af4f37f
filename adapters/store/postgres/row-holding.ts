import type { Clock } from '../../../src/ports/clock.ts'
import type { Holding, QueueTopic } from '../sql/driver.ts'
import {
  join,
  padded,
  raw,
  sql,
  type Row,
  type Statement,
  type Transaction,
} from '../sql/statement.ts'
import { Turns } from '../sql/turns.ts'
import { integer } from '../sql/values.ts'
import { DATABASE_NOW } from './dialect.ts'
import type { PostgresDriver } from './driver.ts'

/** A queue's table, its key and the condition of the rows that are in the queue. */
interface HeldTable {
  readonly name: Statement
  readonly key: Statement
  readonly queued: Statement
}

/**
 * A queue changes faster than the statistics of its table, and the planner, who knows those, would read
 * and sort all that waits for a few rows: only walks along the indexes are left to it. A claim that a
 * crash of the server undoes holds nothing, and need not wait for its disk.
 */
const SETTINGS = [
  ...['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin', 'sort'].map((way) => `enable_${way} = off`),
  'jit = off',
  'synchronous_commit = off',
]

const TABLES: Readonly<Record<QueueTopic, HeldTable>> = {
  events: { name: raw('events'), key: raw('seq'), queued: raw('sent_at IS NULL') },
  messages: { name: raw('messages'), key: raw('key'), queued: raw('buried_at IS NULL') },
}

/**
 * Holds in the rows, by the database's clock: those of a process that is gone lapse. `owner` is drawn
 * anew for every opening of the store.
 */
export function rowHolding(
  driver: Pick<PostgresDriver, 'read' | 'write'>,
  topic: QueueTopic,
  { clock, owner }: { readonly clock: Clock; readonly owner: string },
): Holding {
  const { name, key, queued } = TABLES[topic]
  /** What this process knows that it holds, and until when by its own clock. */
  const holds = new Map<string, number>()
  /** The answer to a claim was lost: rows may be held that nobody here knows of. */
  let unsure = false
  const turns = new Turns()
  const free = sql`(held_until IS NULL OR held_until <= ${DATABASE_NOW})`
  const mine = sql`held_by = ${owner}`
  const until = (holdMs: number) => sql`${DATABASE_NOW} + ${holdMs}::BIGINT`
  const within = (keys: readonly string[]) => sql`${key} IN (${join(padded(keys.map(Number)))})`
  const forgetLapsed = () => {
    for (const [held, untilMs] of holds) if (untilMs <= clock.monotonicMs()) holds.delete(held)
  }

  return {
    async claim(limit, holdMs, query) {
      // One at a time, so that what is held and not known can be told from what is being claimed.
      const endTurn = await turns.take(NEVER)
      const untilMs = clock.monotonicMs() + holdMs
      const wasUnsure = unsure
      try {
        unsure = true
        const rows = await driver.write(
          function* (): Transaction<readonly Row[]> {
            if (wasUnsure) {
              const others = holds.size === 0 ? raw('TRUE') : sql`NOT ${within([...holds.keys()])}`
              yield sql`UPDATE ${name} SET held_until = NULL, held_by = NULL
              WHERE ${queued} AND ${mine} AND ${others}`
            }
            return yield sql`WITH free AS MATERIALIZED (${query(limit, free)} FOR UPDATE SKIP LOCKED),
            held AS (
              UPDATE ${name} AS taken SET held_until = ${until(holdMs)}, held_by = ${owner}
              FROM free WHERE taken.${key} = free.key
            )
            SELECT * FROM free`
          },
          { settings: SETTINGS },
        )
        forgetLapsed()
        for (const row of rows) holds.set(keyOf(row), untilMs)
        unsure = false
        return rows
      } finally {
        endTurn()
      }
    },

    async renew(keys, holdMs) {
      if (keys.length === 0) return
      const untilMs = clock.monotonicMs() + holdMs
      const rows = await driver.write(function* (): Transaction<readonly Row[]> {
        return yield sql`UPDATE ${name} SET held_until = ${until(holdMs)}
          WHERE ${queued} AND ${within(keys)} AND ${mine} RETURNING ${key} AS key`
      })
      for (const row of rows) holds.set(keyOf(row), untilMs)
    },

    free: (keys) =>
      driver.write(
        function* () {
          if (keys.length === 0) return
          yield sql`UPDATE ${name} SET held_until = NULL, held_by = NULL
            WHERE ${within(keys)} AND ${mine}`
        },
        {
          topics: [topic],
          committed: () => {
            for (const held of keys) holds.delete(held)
          },
        },
      ),

    firstFree: (query) =>
      driver.read(function* () {
        const [row] = yield query(1, free)
        return row
      }),

    settled(keys) {
      for (const held of keys) holds.delete(held)
    },
    mine,
    unheld: { held_until: null, held_by: null },
  }
}

const NEVER = new AbortController().signal

function keyOf(row: Row): string {
  return String(integer(row, 'key'))
}
