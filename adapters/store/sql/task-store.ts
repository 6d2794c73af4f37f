import type { JsonObject } from '../../../src/core/json.ts'
import { Rejected } from '../../../src/core/errors.ts'
import type { Change } from '../../../src/core/change.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { WakeTopic } from '../../../src/ports/store.ts'
import type { TaskQuery, TaskStore } from '../../../src/ports/task-store.ts'
import { createAccept } from './accept.ts'
import { applyChange, guardLease, insertDefinition, insertEvents, isApplied } from './changes.ts'
import type { Dialect } from './dialect.ts'
import type { Driver } from './driver.ts'
import { readFigures } from './figures.ts'
import { createSettle } from './home.ts'
import { purgeTasks } from './purge.ts'
import { recordsById, recordsOf } from './records.ts'
import { createShiftDues } from './shift-once.ts'
import { startable } from './startable.ts'
import { join, sql } from './statement.ts'
import { integer, json, maybeTime, text } from './values.ts'

export function createTaskStore(driver: Driver, dialect: Dialect, clock: Clock): TaskStore {
  return {
    accept: createAccept(driver, clock),

    find: (taskId) =>
      driver.read(function* () {
        const [record] = yield* recordsById([taskId])
        return record
      }),

    list: (query) => list(driver, query),

    definition: (hash) =>
      driver.read(function* () {
        const [row] = yield sql`SELECT * FROM definitions WHERE hash = ${hash}`
        if (!row) return undefined
        return {
          hash,
          name: text(row, 'name'),
          directory: text(row, 'directory'),
          compose: json(row, 'compose') as JsonObject,
        }
      }),

    define: (definition) => driver.write(() => insertDefinition(definition)),

    apply: (change, lease) =>
      driver.write(
        function* () {
          if (lease) yield* guardLease(dialect, lease)
          return yield* applyChange(change, clock.now())
        },
        { topics: topicsOf(change) },
      ),

    hasApplied: (commandId) => driver.read(() => isApplied(commandId)),

    append: (events) => driver.write(() => insertEvents(events), { topics: ['events'] }),

    due: (now, limit) =>
      driver.read(() =>
        recordsOf(sql`SELECT id FROM tasks WHERE wake_at <= ${now.getTime()}
          ORDER BY wake_at LIMIT ${limit}`),
      ),

    nextDue: () =>
      driver.read(function* () {
        const [row] = yield sql`SELECT MIN(wake_at) AS at FROM tasks WHERE wake_at IS NOT NULL`
        return row && maybeTime(row, 'at')
      }),

    inFlight: () =>
      driver.read(function* () {
        const rows = yield sql`SELECT type, concurrency_key, COUNT(*) AS count
          FROM attempts JOIN tasks ON tasks.id = attempts.task_id
          WHERE attempts.state <> 'exited' GROUP BY type, concurrency_key`
        return rows.map((row) => ({
          type: text(row, 'type'),
          key: text(row, 'concurrency_key'),
          count: integer(row, 'count'),
        }))
      }),

    liveUnits: () =>
      driver.read(function* () {
        const rows = yield sql`SELECT unit, task_id FROM attempts WHERE state <> 'exited'`
        return rows.map((row) => ({ unit: text(row, 'unit'), taskId: text(row, 'task_id') }))
      }),

    callsFailed: () =>
      driver.read(function* () {
        const rows = yield sql`SELECT task_id FROM attempts
          WHERE state <> 'exited' AND call_failures > 0`
        return rows.map((row) => text(row, 'task_id'))
      }),

    startable: (now, blocked, limit) => startable(driver, now, blocked, limit),

    nextStart: (now) =>
      driver.read(function* () {
        const [row] = yield sql`SELECT MIN(due_at) AS at FROM tasks
          WHERE ready = 0 AND due_at > ${now.getTime()}`
        return row && maybeTime(row, 'at')
      }),

    overKept: (keep, now, limit) =>
      driver.read(() =>
        recordsOf(sql`SELECT task_id AS id FROM (
            SELECT task_id, exited_at, release_at, ROW_NUMBER() OVER (
              PARTITION BY tasks.type ORDER BY exited_at DESC, task_id, number DESC
            ) AS place
            FROM attempts JOIN tasks ON tasks.id = attempts.task_id
            WHERE attempts.state = 'exited' AND released_at IS NULL
          ) AS kept
          WHERE place > ${keep} AND release_at > ${now.getTime()} GROUP BY task_id ORDER BY MIN(exited_at), task_id LIMIT ${limit}`),
      ),

    shiftDues: createShiftDues(driver, dialect, clock),

    settle: createSettle(driver, dialect),

    purge: (now, limit, lease) =>
      driver.write(function* () {
        yield* guardLease(dialect, lease)
        return yield* purgeTasks(now, limit)
      }),

    figures: (now) => driver.read(() => readFigures(now)),
  }
}

async function list(driver: Driver, { type, state, limit, cursor }: TaskQuery) {
  const conditions = [
    sql`seq < ${cursor === undefined ? Number.MAX_SAFE_INTEGER : position(cursor)}`,
    ...(type === undefined ? [] : [sql`type = ${type}`]),
    ...(state === undefined ? [] : [sql`state = ${state}`]),
  ]
  return driver.read(function* () {
    const rows = yield sql`SELECT id, seq FROM tasks WHERE ${join(conditions, ' AND ')}
      ORDER BY seq DESC LIMIT ${limit + 1}`
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    const tasks = yield* recordsById(page.map((row) => text(row, 'id')))
    return rows.length > limit && last ? { tasks, next: String(integer(last, 'seq')) } : { tasks }
  })
}

function position(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) throw new Rejected('bad-cursor', 'this is no cursor of a list')
  return Number(cursor)
}

/** A task that is queued may start; one that has exited or ended makes room for another. */
function topicsOf({ task, events }: Change): readonly WakeTopic[] {
  const moves = task.state !== 'starting' && task.state !== 'running'
  return [
    'tasks',
    ...(moves ? ['queue' as const] : []),
    ...(events.length ? ['events' as const] : []),
  ]
}
