import assert from 'node:assert/strict'
import { changeOf, DEFINITION, found, newEvent, newTask, startedTask } from '../support/store.ts'
import type { StoreCase } from './store.ts'

const DAY_MS = 86_400_000

export function upkeepContract(given: () => StoreCase): void {
  describe('upkeep', () => {
    const lead = () => given().store.leadership.acquire(new AbortController().signal)
    const at = (ms: number) => new Date(given().clock.now().getTime() + ms)

    it('names the tasks with kept units beyond the newest of their type', async () => {
      const { store, clock } = given()
      for (let n = 1; n <= 4; n++) {
        const kept = { state: 'exited', exitedAt: at(n), releaseAt: at(n + 100) } as const
        await startedTask(store, clock, String(n), {}, kept)
      }
      await startedTask(store, clock, '1', { type: 'train' }, { state: 'exited', exitedAt: at(0) })
      await startedTask(
        store,
        clock,
        '5',
        {},
        { state: 'exited', exitedAt: at(9), releasedAt: at(9) },
      )
      const ids = (await store.tasks.overKept(2, at(50), 10)).map(({ task }) => task.id)
      assert.deepEqual(ids, ['encode/1', 'encode/2'])
      assert.equal((await store.tasks.overKept(2, at(50), 1)).length, 1)
      assert.deepEqual(await store.tasks.overKept(4, at(50), 10), [])
      assert.deepEqual(await store.tasks.overKept(2, at(1000), 10), [], 'all are due anyway')
    })

    it('shifts dues of starts, attempts, lost nodes and backoffs, not what was asked for', async () => {
      const { store, clock } = given()
      await using lease = await lead()
      const live = await startedTask(
        store,
        clock,
        'live',
        { deadlineAt: at(50_000) },
        {
          startDueAt: at(1000),
          attemptDueAt: at(2000),
          unreachableSince: at(3),
          missingSince: at(4),
          callAgainAt: at(5),
          startSettlesAt: at(6),
        },
      )
      await store.tasks.apply(changeOf(live, {}, { wakeAt: at(1000) }))
      const retry = await startedTask(
        store,
        clock,
        'retry',
        {},
        { state: 'exited', exitedAt: at(-20_000) },
      )
      await store.tasks.apply(changeOf(retry, { state: 'queued', dueAt: at(1000) }))
      await store.tasks.accept(newTask(clock, 'new', { dueAt: at(0) }), DEFINITION, [])
      const notBefore = at(1000)
      await store.tasks.accept(
        newTask(clock, 'asked', { notBefore, dueAt: notBefore }),
        DEFINITION,
        [],
      )
      const before = await found(store, 'encode/live')

      await store.tasks.shiftDues(10_000, lease)

      const after = await found(store, 'encode/live')
      const [attempt] = after.attempts
      assert.deepEqual(attempt?.startDueAt, at(11_000))
      assert.deepEqual(attempt.attemptDueAt, at(12_000))
      assert.deepEqual(attempt.unreachableSince, at(10_003))
      assert.deepEqual(attempt.missingSince, at(10_004))
      assert.deepEqual(attempt.callAgainAt, at(10_005))
      assert.deepEqual(attempt.startSettlesAt, at(10_006))
      assert.deepEqual(after.task.deadlineAt, at(50_000))
      assert.deepEqual(await store.tasks.nextDue(), at(11_000))
      assert.deepEqual((await found(store, 'encode/retry')).task.dueAt, at(11_000))
      assert.deepEqual((await found(store, 'encode/asked')).task.dueAt, notBefore)
      assert.deepEqual(
        (await found(store, 'encode/new')).task.dueAt,
        at(0),
        'it is due by either time',
      )
      assert.equal(await store.tasks.apply(changeOf(before, {})), 'stale')
      const due = await store.tasks.startable(at(5000), [], 10)
      assert.deepEqual(
        due.map(({ task }) => task.id),
        ['encode/new', 'encode/asked'],
      )

      await store.tasks.shiftDues(45_000, lease)
      assert.deepEqual(await store.tasks.nextDue(), at(50_000), 'the deadline stays')
      await store.tasks.shiftDues(-55_000, lease)
      assert.deepEqual(await store.tasks.nextDue(), at(-5_000))
    })

    it('brings the queue along when the clock is set back, but for what came after', async () => {
      const { store, clock } = given()
      await using lease = await lead()
      const queued = async (id: string, exitedAt: Date) => {
        const record = await startedTask(store, clock, id, {}, { state: 'exited', exitedAt })
        await store.tasks.apply(changeOf(record, { state: 'queued', dueAt: at(60_000) }))
      }
      await queued('before', at(50_000))
      await queued('after', at(-1_000))
      await store.tasks.accept(newTask(clock, 'new-before', { dueAt: at(54_000) }), DEFINITION, [])
      await store.tasks.accept(newTask(clock, 'new-after', { dueAt: at(0) }), DEFINITION, [])

      await store.tasks.shiftDues(-55_000, lease)

      const dues = ['before', 'after', 'new-before', 'new-after'].map(
        async (id) => (await found(store, `encode/${id}`)).task.dueAt,
      )
      assert.deepEqual(await Promise.all(dues), [at(5_000), at(60_000), at(-1_000), at(0)])
    })

    it('purges what has ended, is told and is gone from the scheduler, and that alone', async () => {
      const { store, clock } = given()
      await using lease = await lead()
      const end = async (id: string, released: boolean, purgeAt = at(10)) => {
        const record = await startedTask(
          store,
          clock,
          id,
          {},
          {
            state: 'exited',
            ...(released && { releasedAt: at(0) }),
          },
        )
        await store.tasks.apply(changeOf(record, { state: 'cancelled', purgeAt }))
      }
      await end('gone', true)
      await end('unit', false)
      await end('untold', true)
      await end('early', true, at(99))
      await startedTask(store, clock, 'live')
      await store.tasks.append([newEvent(clock, 'e', { taskId: 'encode/untold' })])
      assert.equal(await store.tasks.purge(at(9), 10, lease), 0)
      assert.equal(await store.tasks.purge(at(10), 10, lease), 1)
      assert.equal(await store.tasks.find('encode/gone'), undefined)
      for (const id of ['unit', 'untold', 'early', 'live']) await found(store, `encode/${id}`)
      const [event] = await store.events.claim(1, 1000)
      await store.events.markSent([event!.seq], clock.now())
      assert.equal(await store.tasks.purge(at(99), 1, lease), 1)
      assert.equal(await store.tasks.purge(at(99), 1, lease), 1)
      assert.equal(await store.tasks.purge(at(99), 1, lease), 0)
      const again = await store.tasks.accept(newTask(clock, 'gone', { uid: 'new' }), DEFINITION, [])
      assert.equal(again.accepted, true)
      assert.deepEqual(again.record.attempts, [])
    })

    it('purges a definition with its last task, and command ids after 30 days', async () => {
      const { store, clock } = given()
      await using lease = await lead()
      const { record } = await store.tasks.accept(newTask(clock, '1'), DEFINITION, [])
      const change = changeOf(record, { state: 'cancelled', purgeAt: at(1) }, { commandId: 'c' })
      await store.tasks.apply(change)
      await store.tasks.purge(at(29 * DAY_MS), 10, lease)
      assert.equal(await store.tasks.hasApplied('c'), true)
      assert.equal(await store.tasks.definition(DEFINITION.hash), undefined)
      await store.tasks.purge(at(31 * DAY_MS), 10, lease)
      assert.equal(await store.tasks.hasApplied('c'), false)
    })

    it('tells the figures of what is live', async () => {
      const { store, clock } = given()
      await store.tasks.accept(newTask(clock, 'q', { dueAt: at(-5) }), DEFINITION, [
        newEvent(clock, 'e', { at: at(-9) }),
      ])
      await store.tasks.accept(newTask(clock, 'later', { dueAt: at(5) }), DEFINITION, [])
      const exited = await startedTask(store, clock, 'x', {}, { state: 'exited', exitedAt: at(-2) })
      await store.tasks.apply(changeOf(exited, { stuck: { since: at(0), reason: 'r' } }))
      const ended = await startedTask(
        store,
        clock,
        'ended',
        {},
        { state: 'exited', releasedAt: at(0) },
      )
      await store.tasks.apply(changeOf(ended, { state: 'cancelled' }))
      const figures = await store.tasks.figures(clock.now())
      const sorted = [...figures.tasks].sort((a, b) => a.state.localeCompare(b.state))
      assert.deepEqual(
        { ...figures, tasks: sorted },
        {
          tasks: [
            { type: 'encode', state: 'exited', count: 1 },
            { type: 'encode', state: 'queued', count: 2 },
          ],
          oldestQueued: [{ type: 'encode', dueAt: at(-5) }],
          unreleasedUnits: { count: 1, oldest: at(-2) },
          stuck: 1,
          outbox: { count: 1, oldest: at(-9) },
        },
      )
    })
  })
}
