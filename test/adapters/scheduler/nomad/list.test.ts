import assert from 'node:assert/strict'
import { metaOf } from '../../../../adapters/scheduler/nomad/identity.ts'
import type {
  AllocationView,
  EvaluationView,
  FrameView,
  JobView,
} from '../../../../adapters/scheduler/nomad/views.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { Observation } from '../../../../src/core/unit.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import { type NomadReplay, nomadReplay, type ReplayHandler } from '../../../support/nomad-replay.ts'
import { until } from '../../../support/store.ts'
import { openedOn, type OpenedScheduler } from './opened.ts'
import { listedState, recording } from './recordings.ts'

const never = new AbortController().signal
const Meta = metaOf(unitNamed('lh-1'))

describe('the list of Nomad', () => {
  let replay: NomadReplay
  let opened: OpenedScheduler
  let jobs: JobView[]
  let allocations: AllocationView[]
  let evaluations: EvaluationView[]
  beforeEach(async () => {
    replay = await nomadReplay()
    opened = openedOn(replay.address)
    jobs = []
    allocations = []
    evaluations = []
    replay.on(
      'GET /v1/jobs',
      paged(() => jobs),
    )
    replay.on(
      'GET /v1/allocations',
      paged(() => allocations),
    )
    replay.on(
      'GET /v1/evaluations',
      paged(() => evaluations),
    )
    replay.on(
      'GET /v1/nodes',
      paged(() => []),
    )
  })
  afterEach(async () => {
    await opened[Symbol.asyncDispose]()
    await replay[Symbol.asyncDispose]()
  })

  /** Puts the recorded job there, as this installation's. */
  function hold(name: string, reading?: number): string {
    const state = listedState(recording(name), reading)
    jobs.push({ ...state.job, Meta })
    allocations.push(...state.allocations)
    evaluations.push(...state.evaluations)
    return state.job.ID
  }
  const asked = (path: string) => replay.asked.filter((one) => one.startsWith(path)).length
  const phases = (seen: readonly Observation[]) => seen.map(({ unit, phase }) => [unit, phase])

  it('is read by page, with no request for each task', async () => {
    for (let i = 0; i < 1_234; i += 1) {
      const ID = `lh-${String(i).padStart(5, '0')}`
      jobs.push({ ID, CreateIndex: i, ModifyIndex: i, Status: 'running', Meta })
      const of = { ID: `a${i}`, JobID: ID, CreateIndex: i, ModifyIndex: i }
      allocations.push({ ...of, ClientStatus: 'running' })
    }
    const seen = await opened.scheduler.list(never)
    assert.equal(new Set(seen.map(({ unit }) => unit)).size, 1_234)
    assert.ok(seen.every(({ phase }) => phase === 'running'))
    assert.deepEqual(
      ['/v1/jobs', '/v1/allocations', '/v1/evaluations', '/v1/nodes'].map((path) =>
        asked(`GET ${path}?`),
      ),
      [3, 3, 1, 1],
    )
    assert.equal(replay.asked.length, 8)
  })

  it('asks for this installation’s jobs alone', async () => {
    await opened.scheduler.list(never)
    const query = new URL(
      replay.asked.find((one) => one.startsWith('GET /v1/jobs'))!.slice(4),
      'http://n',
    ).searchParams
    assert.equal(query.get('prefix'), 'lh-')
    assert.equal(query.get('meta'), 'true')
    assert.equal(query.get('filter'), 'Meta["longhaul.installation"] == "test"')
    assert.equal(query.get('namespace'), 'default')
  })

  it('passes over allocations whose job was purged meanwhile', async () => {
    hold('exit-3')
    jobs.length = 0
    assert.deepEqual(await opened.scheduler.list(never), [])
  })

  it('fails where one of its pages does, whichever', async () => {
    for (const path of ['/v1/jobs', '/v1/allocations', '/v1/evaluations', '/v1/nodes']) {
      await using again = await nomadReplay()
      await using scheduler = openedOn(again.address)
      for (const other of ['/v1/jobs', '/v1/allocations', '/v1/evaluations', '/v1/nodes']) {
        again.on(`GET ${other}`, { body: [] })
      }
      again.on(`GET ${path}`, { status: 500, body: 'No cluster leader' })
      await assert.rejects(scheduler.scheduler.list(never), (error) => {
        assert.ok(error instanceof Unavailable)
        assert.match(error.message, /500 No cluster leader/)
        return true
      })
    }
  })

  it('does without the nodes where the token may not read them', async () => {
    hold('exit-3')
    replay.on('GET /v1/nodes', { status: 403, body: 'Permission denied' })
    assert.equal((await opened.scheduler.list(never)).length, 1)
  })

  it('tells what the stream has left out, and what comes late from there tells nothing', async () => {
    const { stream: frames, job } = recording('exit-3')
    const text = JSON.stringify(frames).replaceAll('{"longhaul.attempt":"1"}', JSON.stringify(Meta))
    const ours = JSON.parse(text) as FrameView[]
    const exited = ours.findIndex((frame) => JSON.stringify(frame).includes('"Terminated"'))
    replay.streams('/v1/event/stream')
    const watching = opened.scheduler.watch(never)
    const stream = await replay.stream()
    await stream.write('{}\n')
    const told: Observation[] = []
    const over = (async () => {
      for await (const one of await watching) told.push(one)
    })()
    for (const frame of ours.slice(0, exited)) await stream.write(`${JSON.stringify(frame)}\n`)
    await until(() => told.length > 0, 'something is told')
    assert.ok(told.every(({ phase }) => phase === 'pending'))

    hold('exit-3')
    replay.on('GET /v1/client/fs/logs/*', { body: 'failing\n' })
    const [seen] = await opened.scheduler.list(never)
    assert.ok(seen?.phase === 'exited')
    assert.deepEqual([seen.unit, seen.exit.code], [job, 3])

    const before = told.length
    for (const frame of ours) await stream.write(`${JSON.stringify(frame)}\n`)
    stream.end()
    await assert.rejects(over, Unavailable)
    assert.ok(told.slice(before).every(({ phase }) => phase === 'exited'))
  })

  it('carries the end of the output, which is asked for once', async () => {
    hold('exit-3')
    replay.on('GET /v1/client/fs/logs/*', ({ query }) => {
      assert.deepEqual([query.get('origin'), query.get('offset')], ['end', '16384'])
      assert.deepEqual([query.get('plain'), query.get('task')], ['true', 'main'])
      return { body: query.get('type') === 'stderr' ? 'on stderr\n' : 'on stdout\n' }
    })
    for (const _ of [1, 2]) {
      const [seen] = await opened.scheduler.list(never)
      assert.ok(seen?.phase === 'exited')
      assert.equal(seen.exit.logTail, 'on stdout\non stderr\n')
    }
    assert.equal(asked('GET /v1/client/fs/logs/'), 2)
  })

  it('tells an exit all the same where its output cannot be had', async () => {
    hold('exit-3')
    replay.on('GET /v1/client/fs/logs/*', { status: 404, body: 'No path to node' })
    assert.deepEqual(phases(await opened.scheduler.list(never)), [[jobs[0]?.ID, 'exited']])
    allocations = allocations.map((one) => ({ ...one, ID: `${one.ID}-again` }))
    replay.on('GET /v1/client/fs/logs/*', { status: 500, body: 'rpc error' })
    assert.deepEqual(phases(await opened.scheduler.list(never)), [[jobs[0]?.ID, 'exited']])
  })

  it('asks for no output of what has never run', async () => {
    hold('docker-image-missing')
    assert.equal((await opened.scheduler.list(never))[0]?.phase, 'exited')
    assert.equal(asked('GET /v1/client/fs/logs/'), 0)
  })

  it('has a job deregistered that Nomad runs a second time, once', async () => {
    const job = hold('alloc-stop-by-operator', 0)
    replay.on(`DELETE /v1/job/${job}`, { body: {} })
    assert.deepEqual(phases(await opened.scheduler.list(never)), [[job, 'running']])
    await until(() => asked('DELETE') === 1, 'it is deregistered')
    await opened.scheduler.list(never)
    assert.equal(asked('DELETE'), 1)
    assert.deepEqual(
      opened.logged.map(({ message }) => message),
      ['unit.deregistered'],
    )
  })

  it('has a job deregistered that has failed, which is told all the same', async () => {
    const job = hold('exit-3')
    replay.on(`DELETE /v1/job/${job}`, { body: {} })
    replay.on('GET /v1/client/fs/logs/*', { body: '' })
    assert.deepEqual(phases(await opened.scheduler.list(never)), [[job, 'exited']])
    await until(() => asked('DELETE') === 1, 'it is deregistered')
    assert.ok(!replay.asked.some((one) => one.includes('purge')))
  })

  it('has it tried again where it could not be deregistered', async () => {
    const job = hold('alloc-stop-by-operator', 0)
    replay.on(`DELETE /v1/job/${job}`, { status: 500, body: 'No cluster leader' })
    const failed = () => opened.logged.filter(({ message }) => message.endsWith('-failed')).length
    await opened.scheduler.list(never)
    await until(() => failed() === 1, 'it fails')
    await opened.scheduler.list(never)
    await until(() => failed() === 2, 'it fails again')
  })

  it('leaves jobs of other installations to them, also where they are heard of', async () => {
    replay.streams('/v1/event/stream')
    const watching = opened.scheduler.watch(never)
    const stream = await replay.stream()
    await stream.write('{}\n')
    const told: Observation[] = []
    const over = (async () => {
      for await (const one of await watching) told.push(one)
    })()
    const others = { ...Meta, 'longhaul.installation': 'another' }
    const other = { ID: 'lh-2', CreateIndex: 5, ModifyIndex: 5, Status: 'pending', Meta: others }
    replay.on('GET /v1/job/lh-1', {
      body: { ID: 'lh-1', CreateIndex: 4, ModifyIndex: 4, Status: 'running', Meta },
    })
    const running = (JobID: string, Index: number) => ({
      Topic: 'Allocation',
      Payload: {
        Allocation: {
          ID: `a-${JobID}`,
          JobID,
          CreateIndex: Index,
          ModifyIndex: Index,
          ClientStatus: 'running',
        },
      },
    })
    const frames: unknown[] = [
      { Index: 5, Events: [{ Topic: 'Job', Payload: { Job: other } }] },
      { Index: 6, Events: [running('lh-2', 6)] },
      // Its registration was not heard, and no list has shown it: it is asked for.
      { Index: 7, Events: [running('lh-1', 7)] },
      // It was purged.
      { Index: 8, Events: [running('lh-3', 8)] },
    ]
    for (const frame of frames) await stream.write(`${JSON.stringify(frame)}\n`)
    stream.end()
    await assert.rejects(over, Unavailable)
    assert.deepEqual(phases(told), [['lh-1', 'running']])
    assert.equal(asked('GET /v1/job/lh-2'), 0)
  })
})

/** Pages of what there is, as Nomad cuts them. */
function paged(all: () => readonly unknown[]): ReplayHandler {
  return ({ query }) => {
    const from = Number(query.get('next_token') ?? 0)
    const to = from + Number(query.get('per_page') ?? Number.MAX_SAFE_INTEGER)
    const headers = to < all().length ? { 'x-nomad-nexttoken': String(to) } : {}
    return { body: all().slice(from, to), headers }
  }
}
