import assert from 'node:assert/strict'
import type {
  AllocationView,
  EvaluationView,
  EventView,
  JobView,
} from '../../../../../adapters/scheduler/nomad/views.ts'
import {
  JobStates,
  type Reading,
} from '../../../../../adapters/scheduler/nomad/watch/job-states.ts'

const job = (ModifyIndex: number, more: Partial<JobView> = {}): JobView => ({
  ID: 'lh-1',
  CreateIndex: 10,
  ModifyIndex,
  ...more,
})
const allocation = (ModifyIndex: number, more: Partial<AllocationView> = {}): AllocationView => ({
  ID: 'a1',
  JobID: 'lh-1',
  CreateIndex: 11,
  ModifyIndex,
  ClientStatus: 'running',
  ...more,
})
const evaluation = (ModifyIndex: number, more: Partial<EvaluationView> = {}): EvaluationView => ({
  ID: 'e1',
  JobID: 'lh-1',
  CreateIndex: ModifyIndex,
  ModifyIndex,
  Status: 'blocked',
  TriggeredBy: 'queued-allocs',
  ...more,
})
const event = (Topic: string, Payload: EventView['Payload'], Index = 0): EventView => ({
  Topic,
  Type: 'PlanResult',
  Key: '',
  Index,
  Payload,
})
const of = {
  job: (one: JobView, deleted?: true) =>
    event('Job', { Job: one, ...(deleted && { Deleted: deleted }) }, one.ModifyIndex),
  allocation: (one: AllocationView) => event('Allocation', { Allocation: one }, one.ModifyIndex),
  evaluation: (one: EvaluationView) => event('Evaluation', { Evaluation: one }, one.ModifyIndex),
}
const NOTHING: Reading = { jobs: [], allocations: [], evaluations: [] }

describe('what is known of jobs', () => {
  let states: JobStates
  beforeEach(() => {
    states = new JobStates()
    states.take(of.job(job(10)))
  })

  it('is changed by a higher index of the same object alone', () => {
    assert.equal(states.take(of.allocation(allocation(20))), 'lh-1')
    assert.equal(states.take(of.allocation(allocation(20))), undefined)
    assert.equal(states.take(of.allocation(allocation(19, { ClientStatus: 'pending' }))), undefined)
    assert.deepEqual(states.get('lh-1')?.allocations, [allocation(20)])
    assert.equal(states.take(of.job(job(12, { Status: 'running' }))), 'lh-1')
    assert.equal(states.get('lh-1')?.job.Status, 'running')
  })

  it('takes two objects of one index, in whichever frames they come', () => {
    assert.equal(states.take(of.job(job(30, { Stop: true }))), 'lh-1')
    assert.equal(states.take(of.evaluation(evaluation(30))), 'lh-1')
    assert.deepEqual(states.get('lh-1')?.evaluations, [evaluation(30)])
  })

  it('goes by what an object is, not by the name of its transaction', () => {
    const told = { ...of.job(job(12, { Status: 'dead' })), Type: 'AllocationUpdated' }
    assert.equal(states.take(told), 'lh-1')
    assert.equal(states.get('lh-1')?.job.Status, 'dead')
  })

  it('passes over other topics, and payloads without their object', () => {
    assert.equal(states.take(event('Node', { Node: { ID: 'n1', Status: 'down' } })), undefined)
    assert.equal(states.take(event('Allocation', {})), undefined)
    assert.equal(states.take(event('Job', { Job: null })), undefined)
  })

  it('keeps of evaluations what says something, and knows an older state of it', () => {
    assert.equal(states.take(of.evaluation(evaluation(12, { Status: 'pending' }))), undefined)
    assert.equal(states.take(of.evaluation(evaluation(13))), 'lh-1')
    assert.equal(states.take(of.evaluation(evaluation(14, { Status: 'complete' }))), 'lh-1')
    assert.equal(states.take(of.evaluation(evaluation(13))), undefined)
    const byHand = evaluation(15, { ID: 'e2', Status: 'complete', TriggeredBy: 'alloc-stop' })
    assert.equal(states.take(of.evaluation(byHand)), 'lh-1')
  })

  it('is nothing before the job itself has been told of', () => {
    assert.equal(states.take(of.allocation(allocation(20, { JobID: 'lh-2' }))), 'lh-2')
    assert.equal(states.get('lh-2'), undefined)
    states.complete(job(12, { ID: 'lh-2' }))
    assert.equal(states.get('lh-2')?.allocations.length, 1)
  })

  describe('that was purged', () => {
    const deregistered = evaluation(40, { TriggeredBy: 'job-deregister', Status: 'pending' })

    it('says so, where events tell it', () => {
      assert.equal(states.take(of.job(job(10), true)), 'lh-1')
      assert.equal(states.get('lh-1')?.deleted, true)
    })

    it('says so, where it is deregistered without having been told to stop', () => {
      assert.equal(states.take(of.evaluation(deregistered)), 'lh-1')
      assert.equal(states.get('lh-1')?.deleted, true)
    })

    it('is not one that was told to stop', () => {
      states.take(of.job(job(40, { Stop: true })))
      states.take(of.evaluation(deregistered))
      assert.equal(states.get('lh-1')?.deleted, undefined)
    })

    it('stays so when older events come again, and its allocations are heard of on', () => {
      states.take(of.allocation(allocation(20)))
      states.take(of.evaluation(deregistered))
      assert.equal(states.take(of.job(job(10))), undefined)
      assert.equal(states.take(of.evaluation(deregistered)), undefined)
      assert.equal(states.take(of.allocation(allocation(41, { ClientStatus: 'failed' }))), 'lh-1')
      const { deleted, allocations } = states.get('lh-1') ?? {}
      assert.deepEqual([deleted, allocations?.[0]?.ClientStatus], [true, 'failed'])
    })
  })

  describe('after a list', () => {
    it('is what the list says', () => {
      const begun = states.beginList()
      const listed = { jobs: [job(50, { ID: 'lh-2' })], allocations: [], evaluations: [] }
      states.learn(listed, begun)
      assert.equal(states.get('lh-1'), undefined)
      assert.equal(states.get('lh-2')?.job.ModifyIndex, 50)
    })

    it('is newer where something was heard since the list was begun', () => {
      const begun = states.beginList()
      states.take(of.allocation(allocation(21, { ClientStatus: 'failed' })))
      states.learn({ ...NOTHING, jobs: [job(10)], allocations: [allocation(20)] }, begun)
      assert.equal(states.get('lh-1')?.allocations[0]?.ClientStatus, 'failed')
    })

    it('still has a job that was registered while the list was read', () => {
      const begun = states.beginList()
      states.take(of.job(job(60, { ID: 'lh-2' })))
      states.learn(NOTHING, begun)
      assert.equal(states.get('lh-2')?.job.ModifyIndex, 60)
      states.learn(NOTHING, states.beginList())
      assert.equal(states.get('lh-2'), undefined)
    })

    it('is not taken back by what comes late', () => {
      const listed = { ...NOTHING, jobs: [job(12)], allocations: [allocation(22)] }
      states.learn(listed, states.beginList())
      assert.equal(
        states.take(of.allocation(allocation(21, { ClientStatus: 'pending' }))),
        undefined,
      )
      assert.equal(states.get('lh-1')?.allocations[0]?.ClientStatus, 'running')
    })
  })

  it('is forgotten when a subscription begins: the indexes may be of another history', () => {
    states.clear()
    assert.equal(states.get('lh-1'), undefined)
    assert.equal(states.take(of.job(job(3))), 'lh-1')
  })

  it('tells that a task has started once more in the same allocation, whichever way that came', () => {
    const began = (ModifyIndex: number, StartedAt: string | null) =>
      allocation(ModifyIndex, { TaskStates: { main: { State: 'running', StartedAt } } })
    const first = '2026-01-01T00:00:01.5Z'
    const second = '2026-01-01T00:01:00Z'
    const again = () => [...(states.get('lh-1')?.startedAgain ?? [])]
    const listed = (one: AllocationView) => {
      states.learn({ ...NOTHING, jobs: [job(10)], allocations: [one] }, states.beginList())
    }
    states.take(of.allocation(began(20, null)))
    states.take(of.allocation(began(21, first)))
    listed(began(21, '2026-01-01T01:00:01.500+01:00'))
    assert.deepEqual(again(), [])
    states.clear()
    states.take(of.job(job(10)))
    states.take(of.allocation(began(30, second)))
    assert.deepEqual(again(), ['a1'])
    states.take(of.allocation(began(21, first)))
    assert.deepEqual(again(), ['a1'])
    listed(began(30, second))
    assert.deepEqual(again(), ['a1'])
    states.learn(NOTHING, states.beginList())
    states.take(of.job(job(10)))
    states.take(of.allocation(began(30, second)))
    assert.deepEqual(again(), [], 'what no list has any more is forgotten')
  })
})
