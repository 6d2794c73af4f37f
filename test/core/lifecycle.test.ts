import assert from 'node:assert/strict'
import type { Change } from '../../src/core/change.ts'
import type { Decision } from '../../src/core/decide.ts'
import {
  cancel,
  type CancelResult,
  deadlinePassed,
  newTask,
  redrive,
  settle,
  stuck,
  unstick,
} from '../../src/core/lifecycle.ts'
import type { TaskRecord } from '../../src/core/task.ts'
import { loadedType } from '../support/simulation.ts'
import {
  T0,
  TYPE,
  applied,
  at,
  confirmed,
  exited,
  latest,
  queued,
  running,
  starting,
  stopping,
} from './record-of.ts'

const COMMAND = { messageId: 'm', attributes: {}, stickyAttributes: { workflowId: 'w' } }
const RETRY: Decision = { kind: 'retry', rule: 'again', counted: true, dueAt: at(5) }
const FAIL: Decision = { kind: 'fail', rule: 'enough', counted: true }
const SUCCEED: Decision = { kind: 'succeed', rule: 'fine' }
const CANCEL: Decision = { kind: 'cancel', rule: 'cancelled' }

const names = ({ events }: Pick<Change, 'events'>): string[] => events.map(({ name }) => name)

function changeOf(result: CancelResult): Change {
  assert.ok(result.kind === 'change', result.kind)
  return result.change
}

function wished(record: TaskRecord, now = T0): TaskRecord {
  return applied(
    record,
    changeOf(cancel(record, TYPE, { by: 'me', reason: 'why' }, undefined, now)),
  )
}

function settled(record: TaskRecord, decision: Decision): Change {
  return settle(record, TYPE, decision, latest(record).exit!, at(1))
}

describe('a new task', () => {
  it('is queued in its first run, with the sender’s own marks on its event', () => {
    const wanted = { id: '1', uid: 'u', input: { a: 1 } }
    const command = { ...COMMAND, correlationId: 'c' }
    const { task, events } = newTask(TYPE, wanted, command, T0)
    assert.equal(task.id, 'work/1')
    assert.deepEqual([task.state, task.run, task.attempt, task.acceptedBy], ['queued', 1, 0, 'm'])
    assert.deepEqual([task.dueAt, task.deadlineAt, task.priority], [T0, at(1800), 0])
    assert.equal(events.length, 1)
    const { message, ...event } = events[0]!
    assert.deepEqual(event, {
      eventId: 'u.1.accepted',
      name: 'longhaul/task-accepted',
      taskId: 'work/1',
      taskType: 'work',
      at: T0,
      correlationId: 'c',
      attributes: {},
      stickyAttributes: { workflowId: 'w' },
    })
    assert.deepEqual(message, {
      $name: 'longhaul/task-accepted',
      $version: 1,
      eventId: 'u.1.accepted',
      taskId: 'work/1',
      taskType: 'work',
      run: 1,
      at: T0.toISOString(),
    })
  })

  it('waits for notBefore, unless that has passed', () => {
    const later = newTask(TYPE, { id: '1', uid: 'u', input: {}, notBefore: at(60) }, COMMAND, T0)
    assert.deepEqual([later.task.dueAt, later.task.deadlineAt], [at(60), at(1860)])
    const earlier = newTask(TYPE, { id: '1', uid: 'u', input: {}, notBefore: at(-60) }, COMMAND, T0)
    assert.deepEqual([earlier.task.dueAt, earlier.task.deadlineAt], [T0, at(1800)])
  })

  it('keeps the value of the concurrency key as it is at acceptance', () => {
    const { type } = loadedType('keyed', { concurrency: { limit: 1, key: '/tenant' } })
    const key = (input: Record<string, string | number>) =>
      newTask(type, { id: '1', uid: 'u', input }, COMMAND, T0).task.concurrencyKey
    assert.equal(key({ tenant: 'a' }), 'a')
    assert.equal(key({ tenant: 7 }), '7')
    assert.equal(key({}), 'null')
    assert.equal(
      newTask(TYPE, { id: '1', uid: 'u', input: {} }, COMMAND, T0).task.concurrencyKey,
      '',
    )
  })

  it('says it with the type’s own event too, the input in it', () => {
    const { type } = loadedType('own', { events: { accepted: 'media/accepted' } })
    const { events } = newTask(type, { id: '1', uid: 'u', input: { a: 1 } }, COMMAND, T0)
    assert.deepEqual(names({ events }), ['longhaul/task-accepted', 'media/accepted'])
    assert.equal(events[1]!.eventId, events[0]!.eventId)
    assert.deepEqual(events[1]!.message['input'], { a: 1 })
    assert.ok(!('input' in events[0]!.message))
  })
})

describe('cancelling', () => {
  it('ends a queued task at once, with who and why', () => {
    const change = changeOf(cancel(queued(), TYPE, { by: 'me', reason: 'why' }, 'c', at(1)))
    assert.deepEqual(names(change), ['longhaul/task-cancelled'])
    assert.equal(change.commandId, 'c')
    assert.deepEqual(change.task.outcome, {
      state: 'cancelled',
      at: at(1),
      by: 'me',
      reason: 'why',
    })
    const { message } = change.events[0]!
    assert.deepEqual([message['by'], message['reason']], ['me', 'why'])
  })

  it('is a wish beside the state of a live task, with a stop of its attempt', () => {
    for (const record of [confirmed(), running()]) {
      const change = changeOf(cancel(record, TYPE, { by: 'me' }, 'c', at(1)))
      const next = applied(record, change)
      assert.equal(next.task.state, record.task.state)
      assert.deepEqual(next.task.cancelRequested, { at: at(1), by: 'me' })
      assert.deepEqual(latest(next).stop, { reason: 'cancelled', at: at(1) })
      assert.deepEqual(change.events, [])
      assert.deepEqual(change.wakeAt, at(1), 'it is looked at at once')
    }
  })

  it('is told that it was asked for already', () => {
    for (const record of [starting(), running(), exited()]) {
      assert.equal(cancel(wished(record), TYPE, {}, 'other', at(2)).kind, 'requested')
    }
  })

  it('leaves another reason to stop as it is', () => {
    const record = wished(stopping(T0, running(), 'deadline'))
    assert.equal(latest(record).stop?.reason, 'deadline')
    assert.ok(record.task.cancelRequested)
  })

  it('is refused by what has ended', () => {
    const ended = applied(queued(), deadlinePassed(queued(), TYPE, T0))
    assert.deepEqual(cancel(ended, TYPE, {}, 'c', at(1)), { kind: 'ended', state: 'failed' })
    assert.deepEqual(cancel(wished(queued()), TYPE, {}, 'c', at(1)), {
      kind: 'ended',
      state: 'cancelled',
    })
  })

  it('ends a task that deciding is stuck on', () => {
    const record = applied(exited(), stuck(exited(), TYPE, 'why', T0))
    const change = changeOf(cancel(record, TYPE, {}, 'c', at(1)))
    const { task } = applied(record, change)
    assert.equal(task.state, 'cancelled')
    assert.equal(task.stuck, undefined)
    assert.equal(task.outcome?.exit?.reason, 'failed')
  })

  it('of an exit that awaits its decision turns a retry into a cancellation, and nothing else', () => {
    const ok = wished(exited({ reason: 'completed', code: 0 }))
    const failed = wished(exited())
    assert.equal(applied(ok, settled(ok, SUCCEED)).task.state, 'succeeded')
    assert.equal(applied(failed, settled(failed, FAIL)).task.state, 'failed')
    const change = settled(failed, RETRY)
    assert.deepEqual(names(change), ['longhaul/task-cancelled'])
    assert.deepEqual(change.task.outcome, {
      state: 'cancelled',
      at: at(1),
      exit: latest(failed).exit,
      by: 'me',
      reason: 'why',
    })
    const stoppedByUs = wished(exited({ reason: 'cancelled' }))
    assert.equal(applied(stoppedByUs, settled(stoppedByUs, CANCEL)).task.state, 'cancelled')
  })
})

describe('settling an exit', () => {
  it('queues the task again for its due time, and counts the attempt', () => {
    const record = exited()
    const change = settled(record, { ...RETRY, memoryBytes: 1024 })
    const next = applied(record, change)
    assert.deepEqual(
      [next.task.state, next.task.dueAt, next.task.memoryBytes],
      ['queued', at(5), 1024],
    )
    assert.equal(latest(next).counted, true)
    assert.deepEqual(names(change), ['longhaul/task-retrying'])
    const { message, eventId } = change.events[0]!
    assert.equal(eventId, 'u.1.1.retrying')
    assert.deepEqual(
      [message['attempt'], message['dueAt'], message['rule']],
      [1, at(5).toISOString(), 'again'],
    )
  })

  it('tells the whole story of a failure: every attempt’s exit, and the rule', () => {
    const first = exited({ reason: 'failed', code: 3 })
    const again = applied(first, settled(first, RETRY))
    const second = exited(
      { reason: 'oom', code: 137 },
      at(9),
      running(at(8), starting(at(8), again)),
    )
    const change = settled(second, FAIL)
    const { message } = change.events[0]!
    assert.deepEqual(names(change), ['longhaul/task-failed'])
    assert.equal(message['rule'], 'enough')
    assert.deepEqual(
      (message['attempts'] as { number: number; exit: { reason: string } }[]).map((attempt) => [
        attempt.number,
        attempt.exit.reason,
      ]),
      [
        [1, 'failed'],
        [2, 'oom'],
      ],
    )
    assert.deepEqual(change.task.purgeAt, new Date(at(1).getTime() + TYPE.keep.outcomeMs))
  })

  it('writes the same events when it is done twice', () => {
    const record = exited()
    assert.deepEqual(settled(record, FAIL).events, settled(record, FAIL).events)
  })
})

describe('redriving', () => {
  const failed = (): TaskRecord => {
    const record = wished(exited({ reason: 'failed', code: 3 }))
    return applied(record, settled(record, FAIL))
  }

  it('opens the next run: counters and deadline anew, attempt numbers go on', () => {
    const record = failed()
    const present = { ...TYPE, hash: 'newer' }
    const change = redrive(record, present, 'c', at(100))
    const next = applied(record, change)
    assert.equal(change.commandId, 'c')
    assert.deepEqual(names(change), ['longhaul/task-accepted'])
    assert.equal(change.events[0]!.eventId, 'u.2.accepted')
    assert.deepEqual(
      [next.task.state, next.task.run, next.task.attempt, next.task.definition],
      ['queued', 2, 1, 'newer'],
    )
    assert.deepEqual([next.task.dueAt, next.task.deadlineAt], [at(100), at(1900)])
    for (const field of [
      'outcome',
      'purgeAt',
      'cancelRequested',
      'stuck',
      'memoryBytes',
    ] as const) {
      assert.ok(!(field in next.task), field)
    }
    const second = starting(at(101), next)
    assert.deepEqual([latest(second).number, latest(second).run], [2, 2])
  })

  it('takes the deadline away where the present type has none', () => {
    const { deadlineMs: _, ...without } = TYPE
    const next = applied(failed(), redrive(failed(), without, undefined, at(100)))
    assert.ok(!('deadlineAt' in next.task))
  })

  it('goes by the concurrency key of the present type', () => {
    const { type } = loadedType('work', { concurrency: { limit: 1, key: '/tenant' } })
    const record = applied(
      queued({ input: { tenant: 'a' } }),
      deadlinePassed(queued({ input: { tenant: 'a' } }), TYPE, T0),
    )
    assert.equal(applied(record, redrive(record, type, undefined, at(1))).task.concurrencyKey, 'a')
  })

  it('takes a stuck task up where it is, in the same run', () => {
    const record = applied(exited(), stuck(exited(), TYPE, 'why', T0))
    const next = applied(record, unstick(record, TYPE, 'c'))
    assert.deepEqual([next.task.state, next.task.run, next.task.stuck], ['exited', 1, undefined])
  })
})
