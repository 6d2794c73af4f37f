import { randomUUID } from 'node:crypto'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Leadership } from '../../../src/ports/leadership.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { Store } from '../../../src/ports/store.ts'
import type { Dialect } from './dialect.ts'
import type { Driver, Holding, QueueTopic } from './driver.ts'
import { createEventLog } from './event-log.ts'
import { createMessageTable } from './message-table.ts'
import { sql } from './statement.ts'
import { createTaskStore } from './task-store.ts'
import { text } from './values.ts'

export interface SqlStoreParts {
  readonly driver: Driver
  readonly dialect: Dialect
  /** How rows of a queue are held; the topic's listeners are called when one is free again. */
  readonly holding: (topic: QueueTopic) => Holding
  readonly leadership: Leadership
  readonly clock: Clock
  readonly logger: Logger
}

/** The store over a database whose schema is up to date. */
export async function createSqlStore(parts: SqlStoreParts): Promise<Store> {
  const { driver, dialect, holding, leadership, clock } = parts
  const remember = (name: string, value: string) =>
    driver.write(function* () {
      yield sql`INSERT INTO remembered (name, value) VALUES (${name}, ${value})
        ON CONFLICT (name) DO NOTHING`
      const [row] = yield sql`SELECT value FROM remembered WHERE name = ${name}`
      return row ? text(row, 'value') : value
    })

  return {
    installation: await remember('installation', randomUUID()),
    tasks: createTaskStore(driver, dialect, clock),
    events: createEventLog(driver, dialect, holding('events')),
    messages: createMessageTable(driver, holding('messages'), parts),
    leadership,
    onWrite: (topic, listener) => driver.onWrite(topic, listener),
    remember: (name, value) => remember(`user.${name}`, value),
    check: () =>
      driver.write(function* () {
        yield sql`INSERT INTO remembered (name, value) VALUES ('check', ${clock.now().toISOString()})
          ON CONFLICT (name) DO UPDATE SET value = excluded.value`
      }),
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  }
}
