import assert from 'node:assert/strict'
import type { Attempt } from '../../src/core/task.ts'
import { startedTask } from '../support/store.ts'
import type { StoreCase } from './store.ts'

export function homeContract(given: () => StoreCase): void {
  describe('the home of the units', () => {
    const lead = () => given().store.leadership.acquire(new AbortController().signal)
    const start = (id: string, attempt: Partial<Attempt>) =>
      startedTask(given().store, given().clock, id, {}, attempt)

    it('is the first that is told, whatever is there already, and stays', async () => {
      const { store } = given()
      await start('1', { state: 'running' })
      await using lease = await lead()
      assert.deepEqual(await store.tasks.settle('here', lease), { at: 'here' })
      assert.deepEqual(await store.tasks.settle('here', lease), { at: 'here' })
      assert.equal(await store.remember('units-home', 'there'), 'here')
    })

    it('moves with a store that has no unit', async () => {
      const { store, clock } = given()
      await using lease = await lead()
      await store.tasks.settle('here', lease)
      const released = { exitedAt: clock.now(), releasedAt: clock.now() }
      await start('1', { state: 'exited', ...released })
      const moved = { from: 'here', units: 0 }
      assert.deepEqual(await store.tasks.settle('there', lease), { at: 'there', moved })
      assert.deepEqual(await store.tasks.settle('there', lease), { at: 'there' })
    })

    it('stays where units are, those of attempts that are over too', async () => {
      const { store, clock } = given()
      {
        await using lease = await lead()
        await store.tasks.settle('here', lease)
      }
      await start('1', { state: 'starting' })
      await start('2', { state: 'running' })
      await start('3', { state: 'exited', exitedAt: clock.now() })
      await using lease = await lead()
      for (const tried of ['there', 'elsewhere', 'there'])
        assert.deepEqual(await store.tasks.settle(tried, lease), { at: 'here', units: 3 })
      assert.deepEqual(await store.tasks.settle('here', lease), { at: 'here' })
    })

    it('is left with all its units where they are abandoned', async () => {
      const { store } = given()
      await using lease = await lead()
      await store.tasks.settle('here', lease)
      await start('1', { state: 'running' })
      await start('2', { state: 'running' })
      const abandon = { abandon: true }
      const moved = { from: 'here', units: 2 }
      assert.deepEqual(await store.tasks.settle('there', lease, abandon), { at: 'there', moved })
      // Again, where the answer to the first call was lost.
      assert.deepEqual(await store.tasks.settle('there', lease, abandon), { at: 'there' })
      assert.deepEqual(await store.tasks.settle('here', lease), { at: 'there', units: 2 })
    })
  })
}
