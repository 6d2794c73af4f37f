import type { Clock } from '../../../src/ports/clock.ts'
import type { WakeTopic } from '../../../src/ports/store.ts'
import type { Driver, Holding, QueueQuery } from '../sql/driver.ts'
import { raw, type Row, type Transaction } from '../sql/statement.ts'
import { integer } from '../sql/values.ts'

/** Holds in memory: only one process has the file, and with it end its holds. */
export function memoryHolding(driver: Driver, clock: Clock, topic: WakeTopic): Holding {
  const holds = new Map<string, number>()

  const isHeld = (key: string, nowMs: number) => (holds.get(key) ?? -Infinity) > nowMs
  const hold = (keys: readonly string[], untilMs: number) => {
    for (const key of keys) holds.set(key, untilMs)
  }
  const free = (keys: readonly string[]) => {
    for (const key of keys) holds.delete(key)
  }
  const forgetLapsed = (nowMs: number) => {
    for (const [key, untilMs] of holds) if (untilMs <= nowMs) holds.delete(key)
  }
  /** Synchronous where the driver runs it: no other taker comes between the look and the hold. */
  function* firstFree(limit: number, query: QueueQuery): Transaction<Row[]> {
    const nowMs = clock.monotonicMs()
    forgetLapsed(nowMs)
    const rows = yield query(limit + holds.size, raw('1 = 1'))
    return rows.filter((row) => !isHeld(keyOf(row), nowMs)).slice(0, limit)
  }

  return {
    claim: (limit, holdMs, query) =>
      driver.read(function* () {
        const rows = yield* firstFree(limit, query)
        hold(rows.map(keyOf), clock.monotonicMs() + holdMs)
        return rows
      }),
    renew(keys, holdMs) {
      hold(
        keys.filter((key) => holds.has(key)),
        clock.monotonicMs() + holdMs,
      )
      return Promise.resolve()
    },
    free(keys) {
      free(keys)
      driver.wake(topic)
      return Promise.resolve()
    },
    firstFree: (query) =>
      driver.read(function* () {
        const [row] = yield* firstFree(1, query)
        return row
      }),
    settled: free,
    mine: raw('1 = 1'),
    unheld: {},
  }
}

function keyOf(row: Row): string {
  return String(integer(row, 'key'))
}
