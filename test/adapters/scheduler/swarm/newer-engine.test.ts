import assert from 'node:assert/strict'
import { examineSwarm } from '../../../../adapters/scheduler/swarm/check-open.ts'
import { openSwarmScheduler } from '../../../../adapters/scheduler/swarm/open.ts'
import type { SwarmScheduler } from '../../../../adapters/scheduler/swarm/scheduler.ts'
import { compileTaskType } from '../../../../src/core/compose/compile.ts'
import { Rejected, Unavailable } from '../../../../src/core/errors.ts'
import { atPointer, type JsonObject } from '../../../../src/core/json.ts'
import type { Observation } from '../../../../src/core/unit.ts'
import { unitNamed, within } from '../../../contract/scheduler-adapter.ts'
import { type NewerEngine, newerEngine } from './newer-engine.ts'
import { LIMIT_MS, never } from './swarm-harness.ts'

const ignore = () => undefined
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

const open = (socket: string): SwarmScheduler =>
  openSwarmScheduler({ socket, installation: 'test', images: { requireDigest: false }, logger })

const serviceOf = (service: JsonObject) => {
  const compose = { services: { t: { image: 'i:1', ...service, 'x-task': {} } } }
  return compileTaskType({ name: 't', hash: 'h', directory: '/d', compose }, {})
}
const unitOf = (service: JsonObject = {}) => unitNamed('lh-x', serviceOf(service).service)
const unit = unitOf()

describe('an engine that answers no path with an old version', () => {
  let engine: NewerEngine
  let adapter: SwarmScheduler
  beforeEach(async () => {
    engine = await newerEngine()
    adapter = open(engine.socket)
  })
  afterEach(async () => {
    await adapter[Symbol.asyncDispose]()
    await engine[Symbol.asyncDispose]()
  })

  const only = async (): Promise<Observation> => {
    const [seen, ...others] = await adapter.list(never)
    assert(seen !== undefined)
    assert.deepEqual(others, [])
    return seen
  }
  const container = (ExitCode: number) => ({ ContainerStatus: { ContainerID: 'c1', ExitCode } })

  it('is served by calls without a version, from a look at it to the removal of a unit', async () => {
    const granted = unitOf({ secrets: ['granted'], configs: ['granted'], networks: ['back'] })
    const examination = examineSwarm({ socket: engine.socket })
    for (const result of [...(await adapter.check(never)), ...(await examination.check(never))]) {
      assert.ok(result.ok, `${result.name}: ${result.message}`)
    }
    const lacking = serviceOf({ secrets: ['granted', 'none'], networks: ['back'] })
    assert.equal((await examination.lacking?.([lacking], never))?.lacks.length, 1)

    const watched: Observation[] = []
    const watching = new AbortController()
    const stream = await adapter.watch(watching.signal)
    const reading = (async () => {
      for await (const seen of stream) watched.push(seen)
    })()
    assert.match((await adapter.resolve(granted, never)) ?? '', /^i:1@sha256:a+$/)
    await adapter.start(granted, never)
    await adapter.start(granted, never)
    assert.equal(engine.created.length, 1)
    assert.equal((await only()).phase, 'running')
    engine.output('lh-x', 'one\n')
    engine.tell('lh-x', { State: 'failed', Message: 'started', Err: NON_ZERO, ...container(137) })
    const ended = await within(LIMIT_MS, 'its end is told', () =>
      Promise.resolve(watched.find(({ phase }) => phase === 'exited')),
    )
    assert(ended.phase === 'exited')
    assert.deepEqual(
      [ended.exit.reason, ended.exit.code, ended.exit.logTail],
      ['oom', 137, 'one\n'],
    )
    const output: string[] = []
    for await (const text of adapter.logs('lh-x', { follow: true, signal: never }))
      output.push(text)
    assert.deepEqual(output, ['one\n'])

    await adapter.remove('lh-x', never)
    await adapter.start(unit, never)
    await adapter.stop('lh-x', never)
    assert.deepEqual(await adapter.list(never), [])
    watching.abort()
    await reading
    assert.deepEqual(
      engine.asked.filter((call) => /^[A-Z]+ \/v\d/.test(call)),
      [],
    )
  })

  it('is sent what its own newest API has', async () => {
    const newest = { oom_score_adj: 5, security_opt: ['no-new-privileges'], tmpfs: '/run:uid=1' }
    await adapter.start(unitOf(newest), never)
    const [spec] = engine.created
    const at = '/TaskTemplate/ContainerSpec'
    assert.equal(atPointer(spec ?? {}, `${at}/OomScoreAdj`), 5)
    assert.deepEqual(atPointer(spec ?? {}, `${at}/Mounts/0/TmpfsOptions/Options`), [['uid', '1']])
  })

  it('refuses a reservation of hardly any memory, and the unit is rejected with its word', async () => {
    const small = unitOf({ deploy: { resources: { reservations: { memory: '1m' } } } })
    await assert.rejects(adapter.start(small, never), (error: unknown) => {
      assert(error instanceof Rejected)
      assert.match(error.message, /invalid memory value 1048576: Must be at least 4MiB$/)
      return true
    })
  })

  it('leaves a task preparing whose pull has failed for now: it is pending with the error, and goes', async () => {
    await adapter.start(unit, never)
    const Err =
      'failed to resolve reference "r.example/i:1": dial tcp: lookup r.example: i/o timeout'
    engine.tell('lh-x', { State: 'preparing', Message: 'preparing', Err })
    const seen = await only()
    assert(seen.phase === 'pending')
    assert.deepEqual([seen.message, seen.unplaced], [Err, undefined])
    await adapter.remove('lh-x', never)
    assert.deepEqual(await adapter.list(never), [])
  })

  it('tells nothing of a container that was never made, and no output is asked for', async () => {
    await adapter.start(unit, never)
    const told = { State: 'rejected', Message: 'resolving controller failed', Err: 'no such mount' }
    engine.tell('lh-x', { ...told, DesiredState: 'shutdown' })
    const seen = await only()
    assert(seen.phase === 'exited')
    assert.deepEqual([seen.exit.reason, seen.exit.code], ['rejected', undefined])
    assert.deepEqual(
      engine.asked.filter((call) => call.includes('/logs')),
      [],
    )
  })

  it('tells an exit as it is before the desired state has followed, and no other afterwards', async () => {
    const watching = new AbortController()
    const told: Observation[] = []
    const stream = await adapter.watch(watching.signal)
    const reading = (async () => {
      for await (const seen of stream) told.push(seen)
    })()
    const ends = () => told.filter(({ phase }) => phase === 'exited')
    await adapter.start(unit, never)
    const failed = { State: 'failed', Message: 'started', Err: 'task: non-zero exit (3)' }
    engine.tell('lh-x', { ...failed, DesiredState: 'running', ...container(3) })
    const [first] = await within(LIMIT_MS, 'its end is told', () =>
      Promise.resolve(ends().length > 0 ? ends() : undefined),
    )
    assert.deepEqual(await only(), first)
    engine.tell('lh-x', { ...failed, DesiredState: 'shutdown', ...container(3) })
    await within(LIMIT_MS, 'it is told again', () =>
      Promise.resolve(ends().length > 1 || undefined),
    )
    watching.abort()
    await reading
    for (const end of ends()) assert.deepEqual(end, first)
  })
})

const NON_ZERO = 'task: non-zero exit (137)'

describe('an engine older than any that can be used', () => {
  for (const ApiVersion of ['1.40', '1.24', 'none']) {
    it(`is made to start nothing, and everything waits for a newer one, at ${ApiVersion}`, async () => {
      await using engine = await newerEngine({
        Version: '19.03.15',
        ApiVersion,
        MinAPIVersion: '1.12',
      })
      await using adapter = open(engine.socket)
      await assert.rejects(adapter.start(unit, never), (error: unknown) => {
        assert(error instanceof Unavailable)
        assert.equal(
          error.message,
          `the engine speaks API ${ApiVersion}: Docker 20.10 or newer is needed`,
        )
        return true
      })
      assert.deepEqual(engine.created, [])
      const [docker] = await adapter.check(never)
      assert.equal(docker?.ok, false)
      assert.equal(docker.remedy, 'Docker 20.10 or newer is needed')
    })
  }
})
