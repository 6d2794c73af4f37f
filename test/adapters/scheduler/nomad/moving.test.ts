import assert from 'node:assert/strict'
import { metaOf } from '../../../../adapters/scheduler/nomad/identity.ts'
import type { Observation } from '../../../../src/core/unit.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import { type NomadReplay, nomadReplay } from '../../../support/nomad-replay.ts'
import { until } from '../../../support/store.ts'
import { openedOn, type OpenedScheduler } from './opened.ts'

const never = new AbortController().signal
const Meta = metaOf(unitNamed('lh-1'))
const JOB = { ID: 'lh-1', CreateIndex: 1, ModifyIndex: 1, Status: 'running', Stop: false, Meta }
const STOPPED = { ...JOB, ModifyIndex: 9, Status: 'dead', Stop: true }
const allocation = (ModifyIndex: number, ClientStatus: string) => ({
  ID: 'a1',
  JobID: 'lh-1',
  NodeID: 'n1',
  CreateIndex: 2,
  ModifyIndex,
  ClientStatus,
})
const node = (Status: string) => ({ ID: 'n1', Name: 'n1', Status, StatusUpdatedAt: 1 })
const frame = (of: ReturnType<typeof allocation>) => {
  const Events = [{ Topic: 'Allocation', Type: 'PlanResult', Payload: { Allocation: of } }]
  return `${JSON.stringify({ Index: of.ModifyIndex, Events })}\n`
}

describe('a list of Nomad, and what the stream tells, while things change', () => {
  let replay: NomadReplay
  let opened: OpenedScheduler
  beforeEach(async () => {
    replay = await nomadReplay()
    opened = openedOn(replay.address)
    replay.on('GET /v1/jobs', { body: [JOB] })
    replay.on('GET /v1/allocations', { body: [allocation(3, 'running')] })
    replay.on('GET /v1/evaluations', { body: [] })
    replay.on('GET /v1/nodes', { body: [node('ready')] })
  })
  afterEach(async () => {
    await opened[Symbol.asyncDispose]()
    await replay[Symbol.asyncDispose]()
  })

  const phases = (seen: readonly Observation[]) => seen.map(({ phase }) => phase)
  const listed = async () => phases(await opened.scheduler.list(never))
  const asked = (call: string) => replay.asked.filter((one) => one.startsWith(call)).length

  /** What is told while it is watched, and the stream that it comes by. */
  async function watched(
    test: (of: {
      readonly told: readonly Observation[]
      readonly write: (text: string) => Promise<void>
      /** Resolves when the watch has ended by itself. */
      readonly ended: Promise<void>
    }) => Promise<void>,
    n = 0,
  ): Promise<void> {
    const left = new AbortController()
    replay.streams('/v1/event/stream')
    const watching = opened.scheduler.watch(left.signal)
    const stream = await replay.stream(n)
    await stream.write('{}\n')
    const told: Observation[] = []
    const ended = (async () => {
      for await (const one of await watching) told.push(one)
    })()
    await test({ told, write: (text) => stream.write(text), ended })
    left.abort()
    await ended
  }

  it('takes no job for one that never ran whose allocation came between two of its pages', async () => {
    let now: 'waiting' | 'stopped' = 'waiting'
    const then =
      <T>(waiting: T, stopped: T) =>
      () => {
        const body = now === 'waiting' ? waiting : stopped
        now = 'stopped'
        return { body }
      }
    replay.on('GET /v1/jobs', then([JOB], [STOPPED]))
    replay.on('GET /v1/allocations', then([], [allocation(3, 'running')]))
    assert.deepEqual(await listed(), ['running'])
  })

  it('takes nothing back that the stream has told while a list was read', () =>
    watched(async ({ told, write }) => {
      replay.on('GET /v1/allocations', async () => {
        const body = [allocation(3, 'running')]
        await write(frame(allocation(5, 'running')))
        await until(() => told.length === 1, 'the stream is read')
        await write(frame(allocation(7, 'unknown')))
        await until(() => told.length === 2, 'it is told')
        return { body }
      })
      replay.on('GET /v1/job/lh-1', { body: JOB })
      assert.deepEqual(await listed(), ['unreachable'])
      assert.deepEqual(phases(told), ['running', 'unreachable'])
    }))

  it('asks for the nodes again where a list showed one down that an event comes from', () =>
    watched(async ({ told, write }) => {
      replay.on('GET /v1/nodes', { body: [node('down')] })
      assert.deepEqual(await listed(), ['unreachable'])
      replay.on('GET /v1/nodes', { body: [node('ready')] })
      await write(frame(allocation(5, 'running')))
      await until(() => told.length > 0, 'it is told')
      assert.deepEqual(phases(told), ['running'])
      assert.equal(asked('GET /v1/nodes'), 2)
      await write(frame(allocation(6, 'unknown')))
      await until(() => told.length > 1, 'it is told')
      assert.deepEqual([told[1]?.phase, asked('GET /v1/nodes')], ['unreachable', 2])
    }))

  it('does not call a unit out of reach whose node came back before the nodes were read', async () => {
    replay.on('GET /v1/nodes', { body: [node('down')] })
    replay.on('GET /v1/allocations', () => {
      replay.on('GET /v1/nodes', { body: [node('ready')] })
      return { body: [allocation(3, 'running')] }
    })
    assert.deepEqual(await listed(), ['running'])
  })

  it('ends its watch where a copy could not be ended, so that a list tries again', () =>
    watched(async ({ told, write, ended }) => {
      assert.deepEqual(await listed(), ['running'])
      replay.on('DELETE /v1/job/lh-1', { status: 500, body: 'No cluster leader' })
      await write(frame({ ...allocation(5, 'running'), ID: 'a2', CreateIndex: 5 }))
      await ended
      assert.equal(told[0]?.copy, 'Nomad has made another allocation of it')
      replay.on('DELETE /v1/job/lh-1', { body: {} })
      replay.on('GET /v1/allocations', {
        body: [allocation(3, 'lost'), { ...allocation(5, 'running'), ID: 'a2', CreateIndex: 5 }],
      })
      await listed()
      await until(() => asked('DELETE') === 2, 'it is deregistered')
    }))

  it('does not end it for long for what cannot be ended: the others are told of', async () => {
    replay.on('DELETE /v1/job/lh-1', { status: 500, body: 'No cluster leader' })
    const second = { ID: 'a2', CreateIndex: 5, PreviousAllocation: 'a1' }
    const copy = (index: number) => frame({ ...allocation(index, 'running'), ...second })
    const failed = () => opened.logged.filter(({ message }) => message.endsWith('-failed')).length
    await watched(async ({ write, ended }) => {
      await listed()
      await write(copy(5))
      await ended
    })
    replay.on('GET /v1/job/lh-1', { body: JOB })
    await watched(async ({ told, write }) => {
      await write(copy(6))
      await until(() => failed() === 2, 'it has failed again')
      const before = told.length
      await write(copy(7))
      await until(() => told.length > before, 'the stream goes on')
    }, 1)
  })

  it('asks for no evaluation of what has been purged, of which there are one or two for each task', async () => {
    await listed()
    const asking = replay.asked.find((one) => one.startsWith('GET /v1/evaluations')) ?? ''
    const filter = new URL(asking.slice(4), 'http://n').searchParams.get('filter') ?? ''
    assert.match(filter, /"blocked".*"alloc-stop"/)
    assert.doesNotMatch(filter, /job-deregister/)
  })
})
