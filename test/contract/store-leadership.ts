import assert from 'node:assert/strict'
import { LeaseLost } from '../../src/core/errors.ts'
import { changeOf, DEFINITION, found, newEvent, newTask } from '../support/store.ts'
import type { StoreCase } from './store.ts'

export function leadershipContract(given: () => StoreCase): void {
  describe('leadership', () => {
    it('gives the lead to one at a time, each with a higher epoch', async () => {
      const { store } = given()
      const signal = new AbortController().signal
      const first = await store.leadership.acquire(signal)
      assert.ok(first.remainingMs() > 0)
      let taken = false
      const waiting = store.leadership.acquire(signal).then((lease) => {
        taken = true
        return lease
      })
      await store.check()
      assert.equal(taken, false)
      await first[Symbol.asyncDispose]()
      await using second = await waiting
      assert.ok(second.epoch > first.epoch)
      assert.equal(first.lost.aborted, true)
      assert.equal(first.remainingMs(), 0)
      assert.equal(second.lost.aborted, false)
    })

    it('stops waiting when told to, with the reason, and lets the next one through', async () => {
      const { store } = given()
      const first = await store.leadership.acquire(new AbortController().signal)
      const controller = new AbortController()
      const waiting = store.leadership.acquire(controller.signal)
      const behind = store.leadership.acquire(new AbortController().signal)
      const reason = new Error('enough')
      controller.abort(reason)
      await assert.rejects(waiting, reason)
      await assert.rejects(store.leadership.acquire(controller.signal), reason)
      await first[Symbol.asyncDispose]()
      await (await behind)[Symbol.asyncDispose]()
    })

    it('writes nothing for a lease that is over', async () => {
      const { store, clock } = given()
      const signal = new AbortController().signal
      const { record } = await store.tasks.accept(newTask(clock, '1'), DEFINITION, [])
      const old = await store.leadership.acquire(signal)
      assert.equal(await store.tasks.apply(changeOf(record, { priority: 1 }), old), 'applied')
      await old[Symbol.asyncDispose]()
      // A process that does not know yet that it has been overtaken.
      const unaware = { ...old, lost: signal }
      await using _ = await store.leadership.acquire(signal)
      const change = changeOf(
        await found(store, 'encode/1'),
        { priority: 2 },
        { events: [newEvent(clock, 'e')] },
      )
      for (const lease of [old, unaware]) {
        await assert.rejects(store.tasks.apply(change, lease), LeaseLost)
        await assert.rejects(store.tasks.shiftDues(1, lease), LeaseLost)
        await assert.rejects(store.tasks.purge(clock.now(), 1, lease), LeaseLost)
        await assert.rejects(store.tasks.settle('elsewhere', lease), LeaseLost)
        await assert.rejects(store.tasks.settle('elsewhere', lease, { abandon: true }), LeaseLost)
      }
      assert.equal((await found(store, 'encode/1')).task.priority, 1)
      assert.equal((await store.events.read({ limit: 1 })).events.length, 0)
    })
  })
}
