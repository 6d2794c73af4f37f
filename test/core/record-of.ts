import assert from 'node:assert/strict'
import * as calls from '../../src/core/attempt-calls.ts'
import * as attempts from '../../src/core/attempts.ts'
import type { Change } from '../../src/core/change.ts'
import type { Policy } from '../../src/core/dues.ts'
import type { ObservedExit } from '../../src/core/exit.ts'
import { newTask } from '../../src/core/lifecycle.ts'
import type { Sighting } from '../../src/core/reconcile.ts'
import { type Attempt, currentAttempt, type TaskRecord } from '../../src/core/task.ts'
import type { TaskType } from '../../src/core/task-type.ts'
import type { Sight } from '../../src/core/unit.ts'
import { loadedType } from '../support/simulation.ts'

/** Records as the engine makes them, by its own pure changes, and sightings of their units. */

export const TYPE: TaskType = loadedType('work', {
  start_timeout: '30s',
  attempt_timeout: '5m',
  deadline: '30m',
  on_node_lost: { action: 'retry', after: '60s' },
  keep: { failed_unit: '1h', outcome: '30d' },
}).type
export const WAITS: Policy = { ...TYPE, onNodeLost: { action: 'wait', afterMs: 60_000 } }

export const T0 = new Date('2030-01-01T00:00:00Z')
export const at = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000)

const COMMAND = { messageId: 'm', attributes: {}, stickyAttributes: {} }

/** The record with the change made on it, as a store makes it. */
export function applied(record: TaskRecord, change: Change | undefined): TaskRecord {
  assert.ok(change, 'there is a change')
  assert.equal(change.taskId, record.task.id)
  assert.equal(change.revision, record.task.revision)
  const changed = new Set(change.attempts.map(({ number }) => number))
  const kept = record.attempts.filter(({ number }) => !changed.has(number))
  return {
    task: { ...change.task, revision: record.task.revision + 1 },
    attempts: [...kept, ...change.attempts].toSorted((a, b) => a.number - b.number),
  }
}

export function queued(differs: Parameters<typeof newTask>[1] | object = {}): TaskRecord {
  const wanted = { id: '1', uid: 'u', input: {}, ...differs }
  return { task: newTask(TYPE, wanted, COMMAND, T0).task, attempts: [] }
}

export function latest(record: TaskRecord): Attempt {
  const attempt = currentAttempt(record)
  assert.ok(attempt, 'it has an attempt')
  return attempt
}

export const unitOf = (number: number): string => `lh-work-${number}`

export function starting(now = T0, from = queued()): TaskRecord {
  return applied(from, attempts.beginAttempt(from, TYPE, unitOf(from.task.attempt + 1), now))
}

export function confirmed(now = T0, from = starting(now)): TaskRecord {
  const attempt = latest(from)
  const answered = calls.startAnswered(attempt, attempt.startCall.begunAt, undefined)
  return applied(from, calls.startConfirmed(from, answered, TYPE, now))
}

export function running(now = T0, from = confirmed(now)): TaskRecord {
  return applied(from, attempts.seenAlive(from, latest(from), TYPE, 'running', 'node-1', now))
}

export function stopping(
  now = T0,
  from = running(now),
  reason: NonNullable<Attempt['stop']>['reason'] = 'cancelled',
): TaskRecord {
  return applied(from, attempts.stopRequested(from, latest(from), TYPE, reason, now))
}

export function stopped(now = T0, from = stopping(now)): TaskRecord {
  return applied(from, calls.stopCalled(from, latest(from), TYPE, now))
}

export function exited(
  exit: ObservedExit = { reason: 'failed', code: 3 },
  now = T0,
  from = running(now),
): TaskRecord {
  return applied(from, attempts.exitRecorded(from, latest(from), TYPE, exit, now))
}

export function releasedAt(now: Date, from: TaskRecord): TaskRecord {
  return applied(from, calls.released(from, latest(from), TYPE, now))
}

/** The unit of an attempt, as an adapter sees it. */
export function sighting(sight: Sight, listedAt?: Date, number = 1, uid = 'u'): Sighting {
  const identity = {
    installation: 'i',
    taskId: 'work/1',
    taskUid: uid,
    taskType: 'work',
    run: 1,
    attempt: number,
  }
  const observation = { unit: unitOf(number), identity, node: 'node-1', ...sight }
  return listedAt === undefined ? { observation } : { observation, listedAt }
}

export function absent(listedAt: Date, number = 1): Sighting {
  return { unit: unitOf(number), absence: { phase: 'absent', listedAt } }
}
