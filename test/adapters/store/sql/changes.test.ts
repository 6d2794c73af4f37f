import assert from 'node:assert/strict'
import { acceptDefined } from '../../../../adapters/store/sql/changes.ts'
import { ManualClock, newTask } from '../../../support/store.ts'

describe('the acceptance of many tasks', () => {
  it('inserts them in the order of their ids, so that two of it never lock each other out', () => {
    const clock = new ManualClock()
    const wishes = ['b', 'c', 'a'].map((id) => ({ task: newTask(clock, id), events: [] }))
    const { done, value: insert } = acceptDefined(wishes, clock.now()).next()
    assert.ok(done !== true)
    const ids = insert.values.filter((value) => wishes.some(({ task }) => task.id === value))
    assert.deepEqual(ids, ['encode/a', 'encode/b', 'encode/c'])
  })
})
