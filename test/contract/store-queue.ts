import assert from 'node:assert/strict'
import fc from 'fast-check'
import { startRank } from '../../src/core/admit.ts'
import type { Bounded } from '../../src/ports/task-store.ts'
import { changeOf, DEFINITION, found, newAttempt, newTask, startedTask } from '../support/store.ts'
import type { StoreCase } from './store.ts'

export function queueContract(given: () => StoreCase): void {
  describe('the queue', () => {
    const startable = async (bounded: readonly Bounded[] = [], limit = 10) => {
      const { store, clock } = given()
      return (await store.tasks.startable(clock.now(), bounded, limit)).map(({ task }) => task.id)
    }

    it('starts by rank what is due, neither stuck nor live', async () => {
      const { store, clock } = given()
      const later = new Date(clock.now().getTime() + 1000)
      const add = (id: string, differs: object) =>
        store.tasks.accept(newTask(clock, id, differs), DEFINITION, [])
      await add('plain', {})
      await add('urgent', { priority: 5 })
      await add('later', { priority: 9, dueAt: later })
      await add('stuck', { priority: 9, stuck: { since: clock.now(), reason: 'x' } })
      await startedTask(store, clock, 'live', { priority: 9 })
      assert.deepEqual(await startable(), ['encode/urgent', 'encode/plain'])
      assert.deepEqual(await startable([], 1), ['encode/urgent'])
      assert.deepEqual(await store.tasks.nextStart(clock.now()), later)
      clock.advance(1000)
      assert.deepEqual(await startable(), ['encode/later', 'encode/urgent', 'encode/plain'])
      assert.equal(await store.tasks.nextStart(clock.now()), undefined)
    })

    it('passes over blocked groups, by type and key', async () => {
      const { store, clock } = given()
      for (const [id, type, concurrencyKey] of [
        ['1', 'a', 'x'],
        ['2', 'a', 'y'],
        ['3', 'b', 'x'],
        ['4', 'a', ''],
      ] as const) {
        await store.tasks.accept(newTask(clock, id, { type, concurrencyKey }), DEFINITION, [])
      }
      assert.deepEqual(await startable([{ type: 'a', key: 'x' }]), ['a/2', 'b/3', 'a/4'])
      assert.deepEqual(await startable([{ type: 'a', key: '' }]), ['a/1', 'a/2', 'b/3'])
    })

    it('gives no more of a group than there is room for, however many wait before the others', async () => {
      const { store, clock } = given()
      const add = (id: string, differs: object) =>
        store.tasks.accept(newTask(clock, id, differs), DEFINITION, [])
      for (let n = 0; n < 250; n += 1) await add(`${n}`, { type: 'many', priority: 1 })
      await add('1', { type: 'few' })
      await add('2', { type: 'few' })
      const many = (room: number) => ({ type: 'many', key: '', room })
      assert.deepEqual(await startable([many(2)]), ['many/0', 'many/1', 'few/1', 'few/2'])
      assert.deepEqual(await startable([many(0)]), ['few/1', 'few/2'])
      assert.deepEqual(await startable([many(-1)]), ['few/1', 'few/2'])
      const few = { type: 'few', key: '', room: 1 }
      assert.deepEqual(await startable([many(3), few]), ['many/0', 'many/1', 'many/2', 'few/1'])
      assert.deepEqual(await startable([many(3), few], 2), ['many/0', 'many/1'])
    })

    it('finds the same as looking through everything, however much is blocked', async () => {
      const { store, clock } = given()
      const keys = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5']
      const tasks = fc.sample(
        fc.record({
          priority: fc.integer({ min: -3, max: 3 }),
          type: fc.constantFrom('a', 'b'),
          concurrencyKey: fc.constantFrom('k0', 'k0', 'k0', 'k0', ...keys),
          dueMs: fc.integer({ min: -600_000, max: 600_000 }),
        }),
        { numRuns: 600, seed: 7 },
      )
      const added = tasks.map(({ dueMs, ...rest }, n) =>
        newTask(clock, String(n), { ...rest, dueAt: new Date(clock.now().getTime() + dueMs) }),
      )
      await Promise.all(added.map((task) => store.tasks.accept(task, DEFINITION, [])))
      for (const limit of [1, 7, 40]) {
        for (const blockedKeys of [[], ['k0'], ['k0', 'k1', 'k2', 'k3'], keys]) {
          const blocked = blockedKeys.flatMap((key) => [
            { type: 'a', key },
            { type: 'b', key },
          ])
          const expected = added
            .filter(({ dueAt, concurrencyKey }) => {
              return dueAt! <= clock.now() && !blockedKeys.includes(concurrencyKey)
            })
            .map(({ id, priority, dueAt }) => ({ id, rank: startRank(priority, dueAt!) }))
            .sort((a, b) => a.rank - b.rank)
            .slice(0, limit)
          assert.deepEqual(
            await startable(blocked, limit),
            expected.map(({ id }) => id),
          )
        }
      }
    })

    it('counts attempts in flight by type and key from their rows', async () => {
      const { store, clock } = given()
      await startedTask(store, clock, '1', { concurrencyKey: 'x' })
      await startedTask(store, clock, '2', { concurrencyKey: 'x' }, { state: 'running' })
      await startedTask(store, clock, '3', { concurrencyKey: 'y' })
      await startedTask(store, clock, '4', { concurrencyKey: 'x' }, { state: 'exited' })
      const groups = [...(await store.tasks.inFlight())].sort((a, b) => a.key.localeCompare(b.key))
      assert.deepEqual(groups, [
        { type: 'encode', key: 'x', count: 2 },
        { type: 'encode', key: 'y', count: 1 },
      ])
      const units = (await store.tasks.liveUnits()).map(({ unit, taskId }) => `${unit} ${taskId}`)
      assert.deepEqual(units.sort(), [
        'lh-encode-1 encode/1',
        'lh-encode-2 encode/2',
        'lh-encode-3 encode/3',
      ])
    })

    it('names the tasks whose latest call to the scheduler has failed', async () => {
      const { store, clock } = given()
      await startedTask(store, clock, '1', {}, { callFailures: 1, callAgainAt: clock.now() })
      await startedTask(store, clock, '2', {}, { callAgainAt: clock.now() })
      await startedTask(store, clock, '3', {}, { state: 'exited', callFailures: 1 })
      assert.deepEqual(await store.tasks.callsFailed(), ['encode/1'])
    })

    it('gives what is to be looked at, the earliest first', async () => {
      const { store, clock } = given()
      const at = (ms: number) => new Date(clock.now().getTime() + ms)
      for (const [id, ms] of [
        ['1', 30],
        ['2', 10],
        ['3', 90],
      ] as const) {
        const record = await startedTask(store, clock, id)
        await store.tasks.apply(changeOf(record, {}, { wakeAt: at(ms) }))
      }
      const due = await store.tasks.due(at(30), 10)
      assert.deepEqual(
        due.map(({ task, attempts }) => [task.id, attempts.length]),
        [
          ['encode/2', 1],
          ['encode/1', 1],
        ],
      )
      assert.equal((await store.tasks.due(at(30), 1)).length, 1)
      assert.deepEqual(await store.tasks.nextDue(), at(10))
      await store.tasks.apply(changeOf(await found(store, 'encode/2'), {}))
      assert.deepEqual(await store.tasks.nextDue(), at(30))
    })

    it('queues a retried task anew, at its new due', async () => {
      const { store, clock } = given()
      const record = await startedTask(store, clock, '1')
      const dueAt = new Date(clock.now().getTime() + 5000)
      await store.tasks.apply(
        changeOf(
          record,
          { state: 'queued', dueAt },
          {
            attempts: [newAttempt(clock, 1, { state: 'exited' })],
          },
        ),
      )
      assert.deepEqual(await startable(), [])
      clock.advance(5000)
      assert.deepEqual(await startable(), ['encode/1'])
    })
  })
}
