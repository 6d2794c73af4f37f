import assert from 'node:assert/strict'
import { PendingChanges } from '../../../../../adapters/scheduler/swarm/control/pending-changes.ts'
import type { NodeView, TaskView } from '../../../../../adapters/scheduler/swarm/views.ts'

const task = (state: string, desired = 'running', id = 't1'): TaskView => ({
  ID: id,
  ServiceID: 's1',
  DesiredState: desired,
  Status: { State: state },
  Spec: {},
})
const node = (state: string): NodeView => ({ ID: 'n1', Status: { State: state } })

describe('what has changed by the control socket', () => {
  let pending: PendingChanges
  beforeEach(() => {
    pending = new PendingChanges()
  })

  const tell = (told: TaskView, removed = false): void => {
    pending.add({ tasks: [{ task: told, removed }], nodes: [] })
  }
  const states = () => pending.take().tasks.map(({ Status }) => Status.State)

  it('is each task as it is now, once', () => {
    tell(task('starting'))
    tell(task('running'))
    tell(task('preparing', 'running', 't2'))
    assert.deepEqual(states(), ['running', 'preparing'])
    assert.deepEqual(states(), [])
  })

  it('keeps how a task ended, whatever is said of it afterwards', () => {
    tell(task('failed'))
    tell(task('orphaned', 'shutdown'))
    assert.deepEqual(states(), ['failed'])
  })

  it('tells that a service was removed, where its task was not seen to end', () => {
    tell(task('pending', 'remove'), true)
    assert.deepEqual(pending.take().tasks, [task('remove', 'remove')])
  })

  it('tells how a task of a removed service ended, and nothing when it is gone', () => {
    tell(task('shutdown', 'remove'))
    tell(task('shutdown', 'remove'), true)
    assert.deepEqual(states(), ['shutdown'])
    tell(task('complete', 'remove'), true)
    assert.deepEqual(states(), [])
  })

  it('leaves it to the lists what is plainly absent', () => {
    tell(task('running'), true)
    assert.deepEqual(states(), [])
  })

  it('is a node whose state is another, and no other change of it', () => {
    const moved = (state: string): readonly string[] => {
      pending.add({ tasks: [], nodes: [node(state)] })
      return pending.take().moved
    }
    assert.deepEqual(moved('ready'), ['n1'])
    assert.deepEqual(moved('ready'), [])
    assert.deepEqual(moved('down'), ['n1'])
    assert.deepEqual(moved('ready'), ['n1'])
  })
})
