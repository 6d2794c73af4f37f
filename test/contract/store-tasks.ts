import assert from 'node:assert/strict'
import type { Task } from '../../src/core/task.ts'
import {
  changeOf,
  DEFINITION,
  found,
  newAttempt,
  newEvent,
  newTask,
  startedTask,
  until,
} from '../support/store.ts'
import type { StoreCase } from './store.ts'

export function taskContract(given: () => StoreCase): void {
  describe('tasks', () => {
    it('gives back every member of an accepted task, times as times', async () => {
      const { store, clock } = given()
      const task: Required<Omit<Task, 'outcome' | 'stuck'>> & Pick<Task, 'stuck'> = {
        ...newTask(clock, '1'),
        correlationId: 'c',
        stickyAttributes: { workflowId: 'w', at: '2030-01-01T00:00:00.000Z', n: 1, b: true },
        input: {
          at: '2030-01-01T00:00:00.000Z',
          text: 'naïve — ☃',
          nested: [{ since: 'x' }, null],
        },
        notBefore: clock.now(),
        dueAt: clock.now(),
        deadlineAt: new Date(clock.now().getTime() + 1),
        concurrencyKey: 'tenant',
        priority: -3,
        memoryBytes: 4e12,
        cancelRequested: { at: clock.now(), by: 'me', reason: 'why' },
        stuck: { since: clock.now(), reason: 'no' },
        purgeAt: clock.now(),
      }
      const answer = await store.tasks.accept(task, DEFINITION, [])
      assert.deepEqual(answer, { accepted: true, record: { task, attempts: [] } })
      assert.deepEqual(await store.tasks.find(task.id), { task, attempts: [] })
      assert.deepEqual(await store.tasks.definition(DEFINITION.hash), DEFINITION)
    })

    it('accepts a known id no second time, and writes nothing then', async () => {
      const { store, clock } = given()
      await store.tasks.accept(newTask(clock, '1'), DEFINITION, [newEvent(clock, 'a')])
      const other = { ...DEFINITION, hash: 'other' }
      const again = await store.tasks.accept(
        newTask(clock, '1', { uid: 'other', definition: 'other' }),
        other,
        [newEvent(clock, 'b')],
      )
      assert.equal(again.accepted, false)
      assert.equal(again.record.task.uid, 'uid-1')
      assert.equal(await store.tasks.definition('other'), undefined)
      assert.equal((await store.events.read({ limit: 10 })).events.length, 1)
    })

    it('accepts one of many that come at once with the same id', async () => {
      const { store, clock } = given()
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          store.tasks.accept(newTask(clock, '1', { uid: `uid-${n}` }), DEFINITION, []),
        ),
      )
      assert.equal(answers.filter(({ accepted }) => accepted).length, 1)
      assert.equal(new Set(answers.map(({ record }) => record.task.uid)).size, 1)
    })

    it('accepts many at once, and answers each with its own', async () => {
      const { store, clock } = given()
      await store.tasks.accept(newTask(clock, '0'), DEFINITION, [newEvent(clock, 'e0')])
      const ids = Array.from({ length: 150 }, (_, n) => String(n % 100))
      const answers = await Promise.all(
        ids.map((id, n) =>
          store.tasks.accept(newTask(clock, id, { uid: `uid-${n}` }), DEFINITION, [
            newEvent(clock, `e${id}`, { taskId: `encode/${id}` }),
          ]),
        ),
      )
      answers.forEach(({ accepted, record }, n) => {
        assert.equal(record.task.id, `encode/${ids[n]}`)
        assert.equal(accepted, n > 0 && n < 100)
        assert.equal(record.task.uid, ids[n] === '0' ? 'uid-0' : `uid-${n % 100}`)
      })
      assert.equal((await store.events.read({ limit: 1000 })).events.length, 100)
    })

    it('accepts what is asked for beside something that it must refuse', async () => {
      const { store, clock } = given()
      await store.tasks.accept(newTask(clock, 'first'), DEFINITION, [])
      const bad = newTask(clock, 'bad', { uid: null as never })
      const answers = await Promise.allSettled(
        [newTask(clock, '1'), bad, newTask(clock, '2')].map((task) =>
          store.tasks.accept(task, DEFINITION, [newEvent(clock, task.id, { taskId: task.id })]),
        ),
      )
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      assert.equal(await store.tasks.find('encode/bad'), undefined)
      assert.equal((await store.events.read({ limit: 10 })).events.length, 2)
    })

    it('looks at an accepted task again at its deadline', async () => {
      const { store, clock } = given()
      const deadlineAt = new Date(clock.now().getTime() + 500)
      await store.tasks.accept(newTask(clock, '1', { deadlineAt }), DEFINITION, [])
      assert.deepEqual(await store.tasks.nextDue(), deadlineAt)
    })

    it('applies a change whole: task, attempts, events, wake', async () => {
      const { store, clock } = given()
      const { record } = await store.tasks.accept(newTask(clock, '1'), DEFINITION, [])
      const at = clock.now()
      const exit = {
        reason: 'failed',
        fault: 'task',
        code: 3,
        at,
        logTail: 'x',
        message: 'm',
      } as const
      const attempt = newAttempt(clock, 1, {
        state: 'exited',
        startCall: { begunAt: at, endedAt: at },
        startSettlesAt: at,
        confirmedAt: at,
        startDueAt: at,
        startedAt: at,
        attemptDueAt: at,
        node: 'n1',
        image: 'work:1@sha256:1',
        unreachableSince: at,
        missingSince: at,
        stop: { reason: 'cancelled', at, calledAt: at, message: 'm' },
        callFailures: 2,
        callAgainAt: at,
        exit,
        exitedAt: at,
        counted: false,
        releaseAt: at,
        releasedAt: at,
      })
      const outcome = { state: 'failed', at, exit, rule: 'default' } as const
      const wakeAt = new Date(at.getTime() + 1)
      const { dueAt: _, ...ended } = newTask(clock, '1')
      const change = {
        ...changeOf(record, {}, { attempts: [attempt], events: [newEvent(clock, 'e')], wakeAt }),
        task: { ...ended, state: 'failed' as const, attempt: 1, outcome },
      }
      assert.equal(await store.tasks.apply(change), 'applied')
      const after = await found(store, 'encode/1')
      assert.deepEqual(after, {
        task: { ...ended, revision: 1, state: 'failed', attempt: 1, outcome },
        attempts: [attempt],
      })
      assert.deepEqual(await store.tasks.nextDue(), wakeAt)
      assert.equal((await store.events.read({ limit: 10 })).events[0]?.eventId, 'e')
    })

    it('overwrites the attempts that a change names, and keeps the others', async () => {
      const { store, clock } = given()
      const record = await startedTask(store, clock, '1')
      const second = newAttempt(clock, 2)
      await store.tasks.apply(changeOf(record, { attempt: 2 }, { attempts: [second] }))
      const running = { ...second, state: 'running' as const, node: 'n' }
      await store.tasks.apply(
        changeOf(await found(store, 'encode/1'), { state: 'running' }, { attempts: [running] }),
      )
      const after = await found(store, 'encode/1')
      assert.deepEqual(after.attempts, [record.attempts[0], running])
    })

    it('calls a change stale when the task has moved on or is gone, and writes nothing', async () => {
      const { store, clock } = given()
      const { record } = await store.tasks.accept(newTask(clock, '1'), DEFINITION, [])
      await store.tasks.apply(changeOf(record, { priority: 1 }))
      const late = changeOf(
        record,
        { priority: 2 },
        {
          events: [newEvent(clock, 'e')],
          commandId: 'c',
          attempts: [newAttempt(clock, 1)],
        },
      )
      assert.equal(await store.tasks.apply(late), 'stale')
      assert.equal(await store.tasks.apply({ ...late, taskId: 'encode/none' }), 'stale')
      const after = await found(store, 'encode/1')
      assert.equal(after.task.priority, 1)
      assert.deepEqual(after.attempts, [])
      assert.equal(await store.tasks.hasApplied('c'), false)
      assert.equal((await store.events.read({ limit: 10 })).events.length, 0)
    })

    it('lets one of many changes of the same revision through', async () => {
      const { store, clock } = given()
      const { record } = await store.tasks.accept(newTask(clock, '1'), DEFINITION, [])
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, priority) =>
          store.tasks.apply(changeOf(record, { priority })),
        ),
      )
      assert.equal(answers.filter((answer) => answer === 'applied').length, 1)
      assert.equal(answers.filter((answer) => answer === 'stale').length, 9)
    })

    it('gives the effect of a command once, whatever revision its repeat is computed from', async () => {
      const { store, clock } = given()
      const { record } = await store.tasks.accept(newTask(clock, '1'), DEFINITION, [])
      const change = changeOf(record, { priority: 1 }, { commandId: 'c' })
      assert.equal(await store.tasks.hasApplied('c'), false)
      assert.equal(await store.tasks.apply(change), 'applied')
      assert.equal(await store.tasks.hasApplied('c'), true)
      assert.equal(await store.tasks.apply(change), 'repeated')
      const fresh = changeOf(await found(store, 'encode/1'), { priority: 9 }, { commandId: 'c' })
      assert.equal(await store.tasks.apply(fresh), 'repeated')
      assert.equal((await found(store, 'encode/1')).task.priority, 1)
    })

    it('keeps a definition before a change names it, and refuses a change that names an unknown one', async () => {
      const { store, clock } = given()
      const { record } = await store.tasks.accept(newTask(clock, '1'), DEFINITION, [])
      const definition = { ...DEFINITION, hash: 'new' }
      const change = changeOf(record, { definition: 'new', run: 2 })
      await assert.rejects(store.tasks.apply(change), { code: 'store-refused' })
      await store.tasks.define(definition)
      await store.tasks.define(definition)
      assert.equal(await store.tasks.apply(change), 'applied')
      assert.deepEqual(await store.tasks.definition('new'), definition)
    })

    it('lists the newest first, page by page, by type and state', async () => {
      const { store, clock } = given()
      for (let n = 1; n <= 5; n++) {
        await store.tasks.accept(newTask(clock, String(n)), DEFINITION, [])
        await store.tasks.accept(newTask(clock, String(n), { type: 'train' }), DEFINITION, [])
      }
      await store.tasks.apply(changeOf(await found(store, 'encode/3'), { state: 'cancelled' }))
      const ids: string[] = []
      let cursor: string | undefined
      do {
        const page = await store.tasks.list({
          type: 'encode',
          limit: 2,
          ...(cursor !== undefined && { cursor }),
        })
        ids.push(...page.tasks.map(({ task }) => task.id))
        cursor = page.next
      } while (cursor !== undefined)
      assert.deepEqual(ids, ['encode/5', 'encode/4', 'encode/3', 'encode/2', 'encode/1'])
      const idsOf = async (query: Parameters<typeof store.tasks.list>[0]) =>
        (await store.tasks.list(query)).tasks.map(({ task }) => task.id)
      assert.deepEqual(await idsOf({ state: 'cancelled', limit: 5 }), ['encode/3'])
      assert.deepEqual(await idsOf({ state: 'queued', type: 'train', limit: 1 }), ['train/5'])
      assert.deepEqual(await idsOf({ limit: 3 }), ['train/5', 'encode/5', 'train/4'])
      await assert.rejects(store.tasks.list({ limit: 1, cursor: 'x' }), { code: 'bad-cursor' })
    })

    it('wakes the loops after the commit, until they no longer listen', async () => {
      const { store, clock } = given()
      const woken: string[] = []
      const topics = ['queue', 'tasks', 'events', 'messages'] as const
      const ends = topics.map((topic) => store.onWrite(topic, () => woken.push(topic)))
      const { record } = await store.tasks.accept(newTask(clock, '1'), DEFINITION, [
        newEvent(clock, 'e'),
      ])
      assert.deepEqual(woken.sort(), ['events', 'queue'])
      const deadlineAt = clock.now()
      await store.tasks.accept(newTask(clock, '2', { deadlineAt }), DEFINITION, [])
      await until(() => woken.includes('tasks'), 'what has a deadline is looked at')
      woken.length = 0
      await store.tasks.apply(changeOf(record, { state: 'cancelled' }))
      await until(() => woken.includes('queue') && woken.includes('tasks'), 'both are woken')
      await store.messages.put({ id: 'm', body: new Uint8Array(), headers: {} })
      assert.ok(woken.includes('messages'))
      for (const end of ends) end()
      woken.length = 0
      await store.tasks.append([newEvent(clock, 'f')])
      assert.deepEqual(woken, [])
    })

    it('remembers a value by whoever sets it first', async () => {
      const { store } = given()
      assert.equal(await store.remember('folder', 'a'), 'a')
      assert.equal(await store.remember('folder', 'b'), 'a')
      assert.notEqual(await store.remember('installation', 'mine'), store.installation)
      assert.ok(store.installation.length >= 16)
      await store.check()
    })
  })
}
