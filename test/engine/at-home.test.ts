import assert from 'node:assert/strict'
import { LeaseLost, Unavailable } from '../../src/core/errors.ts'
import type { Attempt } from '../../src/core/task.ts'
import { atHome } from '../../src/engine/at-home.ts'
import type { Lease } from '../../src/ports/leadership.ts'
import type { SchedulerAdapter } from '../../src/ports/scheduler-adapter.ts'
import type { Store } from '../../src/ports/store.ts'
import { unitNamed } from '../contract/scheduler-adapter.ts'
import { type FakeCall, FakeScheduler } from '../support/fake-scheduler.ts'
import { fixedTypes, loadedType, Simulation } from '../support/simulation.ts'
import { found, ManualClock, openMemoryStore, startedTask } from '../support/store.ts'
import { LineLogger } from './bus-harness.ts'

const never = new AbortController().signal
const UNIT = unitNamed('lh-1', {})

async function text(chunks: AsyncIterable<string>): Promise<string> {
  let whole = ''
  for await (const chunk of chunks) whole += chunk
  return whole
}

/** Everything that a leader's loops ask. */
const CALLS: Readonly<Record<string, (on: SchedulerAdapter) => Promise<unknown> | undefined>> = {
  resolve: (on) => on.resolve?.(UNIT, never),
  start: (on) => on.start(UNIT, never),
  stop: (on) => on.stop('lh-1', never),
  remove: (on) => on.remove('lh-1', never),
  list: (on) => on.list(never),
  watch: (on) => on.watch(never),
  logs: (on) => text(on.logs('lh-1', { signal: never })),
}

describe('a scheduler at home', () => {
  let clock: ManualClock
  let store: Store
  let fake: FakeScheduler
  let logger: LineLogger
  /** What has got through. */
  let calls: FakeCall[]
  /** What `readyz` is told, in order. */
  let told: (string | undefined)[]
  let asked: number
  let place: () => string
  beforeEach(async () => {
    clock = new ManualClock()
    store = await openMemoryStore(clock)
    fake = new FakeScheduler({ now: () => clock.now() })
    logger = new LineLogger()
    calls = []
    told = []
    asked = 0
    place = () => 'nomad eu/a'
    fake.place = () => {
      asked += 1
      return place()
    }
    fake.fault = (call) => void calls.push(call)
  })
  afterEach(() => store[Symbol.asyncDispose]())

  const under = (lease: Lease, abandonUnits = false) =>
    atHome({
      scheduler: fake,
      tasks: store.tasks,
      lease,
      abandonUnits,
      onHome: (refusal) => void told.push(refusal),
      logger,
      signal: never,
    })
  /** One leadership, to its end. */
  const leading = async <T>(
    body: (scheduler: SchedulerAdapter) => Promise<T>,
    { at = 'nomad eu/a', abandon = false } = {},
  ): Promise<T> => {
    place = () => at
    await using lease = await store.leadership.acquire(never)
    return await body(under(lease, abandon))
  }
  const list = (scheduler: SchedulerAdapter) => scheduler.list(never)
  const isElsewhere = (error: unknown): true => {
    assert.ok(error instanceof Unavailable, String(error))
    assert.equal(error.code, 'another-home')
    return true
  }
  const home = () => store.remember('units-home', 'nowhere')
  const logged = (name: string) => logger.lines.filter((line) => line.startsWith(`${name} `))

  const NONE: readonly Partial<Attempt>[] = []
  const LIVE: readonly Partial<Attempt>[] = [{ state: 'starting' }, { state: 'running' }]
  const over = { state: 'exited', exitedAt: new Date(0) } as const
  const KEPT: readonly Partial<Attempt>[] = [over]
  const RELEASED: readonly Partial<Attempt>[] = [{ ...over, releasedAt: new Date(0) }]
  for (const [what, before, attempts, abandon, expected] of [
    ['a store that has none yet', undefined, NONE, false, 'home'],
    ['a store of an older release with units', undefined, LIVE, false, 'home'],
    ['the same', 'nomad eu/a', LIVE, false, 'home'],
    ['the same, and a needless flag', 'nomad eu/a', LIVE, true, 'home'],
    ['another without units', 'swarm x', NONE, false, 'lead.moved'],
    ['another whose units are released', 'swarm x', RELEASED, false, 'lead.moved'],
    ['another with live units', 'swarm x', LIVE, false, 'elsewhere'],
    ['another with kept units', 'swarm x', KEPT, false, 'elsewhere'],
    ['another with live units, abandoned', 'swarm x', LIVE, true, 'lead.units-abandoned'],
    ['another with kept units, abandoned', 'swarm x', KEPT, true, 'lead.units-abandoned'],
    ['another without units, abandoned', 'swarm x', NONE, true, 'lead.moved'],
  ] as const)
    it(`of ${what}: ${expected}`, async () => {
      if (before !== undefined) await leading(list, { at: before })
      for (const [n, attempt] of attempts.entries()) {
        await startedTask(store, clock, String(n), {}, attempt)
      }
      calls = []
      told = []
      logger.lines.length = 0
      if (expected === 'elsewhere') {
        await leading((scheduler) => assert.rejects(list(scheduler), isElsewhere), { abandon })
        assert.deepEqual([calls, await home(), told.length], [[], before, 1])
        for (const word of [before, 'nomad eu/a', `${attempts.length} of them`, '--abandon-units'])
          assert.ok(told[0]?.includes(word), `${word}: ${String(told[0])}`)
        return
      }
      await leading(list, { abandon })
      assert.deepEqual(
        [calls, await home(), told],
        [[{ method: 'list' }], 'nomad eu/a', [undefined]],
      )
      const names = logger.lines.map((line) => line.split(' ')[0])
      assert.deepEqual(names, [...(expected === 'home' ? [] : [expected]), 'lead.at-home'])
    })

  it('is asked for once, however many calls there are, in a row and at a time', async () => {
    await leading(async (scheduler) => {
      await Promise.all(Object.values(CALLS).map(async (call) => call(scheduler)))
      for (const call of Object.values(CALLS)) await call(scheduler)
    })
    assert.equal(asked, 1)
    assert.equal(calls.length, 2 * (Object.keys(CALLS).length - 1), 'logs are not counted')
  })

  describe('that is elsewhere', () => {
    beforeEach(async () => {
      await leading(list, { at: 'swarm x' })
      await startedTask(store, clock, '1', {}, { state: 'running' })
      calls = []
    })

    for (const [name, call] of Object.entries(CALLS))
      it(`refuses ${name}`, async () => {
        await leading(async (scheduler) => {
          await assert.rejects(async () => call(scheduler), isElsewhere)
        })
        assert.deepEqual(calls, [])
      })

    it('is asked for again with each call, says so once, and is home when it is back', async () => {
      await leading(async (scheduler) => {
        asked = 0
        for (let i = 0; i < 3; i += 1) await assert.rejects(list(scheduler), isElsewhere)
        assert.equal(asked, 3)
        place = () => 'swarm x'
        await list(scheduler)
      })
      assert.equal(logged('lead.without-home').length, 1)
      assert.equal(told.at(-1), undefined)
    })

    it('tells how it is all the same', async () => {
      await leading(async (scheduler) => {
        assert.deepEqual(await scheduler.check(never), await fake.check())
      })
    })

    it('takes nothing from the leader before or after, which is home', async () => {
      await leading((scheduler) => assert.rejects(list(scheduler), isElsewhere))
      await leading(list, { at: 'swarm x' })
      await leading((scheduler) => assert.rejects(list(scheduler), isElsewhere))
      assert.deepEqual([calls.length, await home()], [1, 'swarm x'])
    })
  })

  it('is not moved by a leader that was overtaken', async () => {
    await leading(list, { at: 'swarm x' })
    const old = await store.leadership.acquire(never)
    await old[Symbol.asyncDispose]()
    await leading(async () => {
      calls = []
      for (const abandon of [false, true])
        await assert.rejects(list(under({ ...old, lost: never }, abandon)), LeaseLost)
    })
    assert.deepEqual([calls, await home()], [[], 'swarm x'])
  })

  it('is asked for again where there was no answer, and nothing goes through meanwhile', async () => {
    await leading(async (scheduler) => {
      const away = new Unavailable('away', 'no answer')
      place = () => {
        throw away
      }
      for (let i = 0; i < 2; i += 1) await assert.rejects(list(scheduler), away)
      assert.deepEqual([calls, told], [[], []])
      place = () => 'swarm x'
      await list(scheduler)
    })
    assert.equal(await home(), 'swarm x')
  })

  it('keeps no call that is given up, and asks on for the others', async () => {
    await using lease = await store.leadership.acquire(never)
    const scheduler = under(lease)
    let answer = (): void => undefined
    const answered = new Promise<void>((resolve) => (answer = resolve))
    fake.home = () => answered.then(() => 'swarm x')
    const given = new AbortController()
    const left = scheduler.list(given.signal)
    const kept = scheduler.list(never)
    given.abort()
    await assert.rejects(left, (error) => error instanceof Unavailable && error.code === 'aborted')
    await assert.rejects(scheduler.list(given.signal), Unavailable)
    assert.deepEqual(calls, [])
    answer()
    await kept
    assert.deepEqual(calls, [{ method: 'list' }])
  })
})

describe('a leader whose units are elsewhere', () => {
  const KEEPS = { keep: { failed_unit: '30s' }, retry: { max_attempts: 1 } }
  const TYPE = loadedType('work', { start_timeout: '20s', attempt_timeout: '30s', ...KEEPS })
  const RUNS = { runsMs: 20 * 60_000 }

  it('loses, starts, ends and releases nothing, and goes on with all of it when it is back', async () => {
    await using simulation = await Simulation.open(fixedTypes(loadedType('work', KEEPS)))
    const { scheduler, store } = simulation
    scheduler.program = ({ identity: { taskId } }) =>
      ({
        'work/pending': { startsAfterMs: 10 * 60_000, runsMs: 1_000 },
        'work/kept': { runsMs: 1_000, exit: { reason: 'failed', code: 1 } as const },
      })[taskId] ?? RUNS
    for (const id of ['running', 'pending', 'kept', 'cancelled'])
      await simulation.accept('work', id)
    for (let i = 0; i < 4; i += 1) await simulation.advance(2_000)
    scheduler.place = () => 'fake other'
    await simulation.crash()
    const states = () =>
      Promise.all(
        ['work/running', 'work/pending', 'work/kept'].map(async (id) => {
          const { task, attempts } = await found(store, id)
          const [{ exit, missingSince, releasedAt } = {}] = attempts
          return [task.state, attempts.length, exit?.reason, missingSince, releasedAt]
        }),
      )
    const before = [
      ['running', 1, undefined, undefined, undefined],
      ['starting', 1, undefined, undefined, undefined],
      ['failed', 1, 'failed', undefined, undefined],
    ]
    assert.deepEqual(await states(), before)
    const calls: FakeCall[] = []
    scheduler.fault = (call) => void calls.push(call)
    await simulation.accept('work', 'new')
    await simulation.process.control.cancel({ taskId: 'work/cancelled', reason: 'enough' })
    for (let i = 0; i < 60; i += 1) await simulation.advance(2_000)
    assert.deepEqual(calls, [])
    assert.deepEqual(await states(), before)
    assert.equal((await found(store, 'work/new')).task.state, 'queued')
    assert.equal((await found(store, 'work/cancelled')).task.state, 'running')
    assert.equal(
      simulation.logger.events.filter((event) => event === 'lead.without-home').length,
      1,
    )

    scheduler.place = () => 'fake world'
    await simulation.crash()
    for (let i = 0; i < 100; i += 1) {
      await simulation.advance(61_000)
      while (simulation.wire.length > 0)
        await simulation.deliver(0).then(() => simulation.wire.shift())
    }
    const ended = await simulation.records()
    const told = ended.map(({ task, attempts }) => [task.id, task.state, attempts.length])
    assert.deepEqual(told.toSorted(), [
      ['work/cancelled', 'cancelled', 1],
      ['work/kept', 'failed', 1],
      ['work/new', 'succeeded', 1],
      ['work/pending', 'succeeded', 1],
      ['work/running', 'succeeded', 1],
    ])
    for (const { attempts } of ended) assert.ok(attempts[0]?.releasedAt, 'it is released')
  })

  it('takes a timeout that passes meanwhile for what it is, and ends nothing by it before it is back', async () => {
    await using simulation = await Simulation.open(fixedTypes(TYPE))
    const { scheduler, store } = simulation
    scheduler.program = () => RUNS
    await simulation.accept('work', '1')
    await simulation.advance(1_000)
    scheduler.place = () => 'fake other'
    await simulation.crash()
    for (let i = 0; i < 40; i += 1) await simulation.advance(2_000)
    assert.equal((await found(store, 'work/1')).task.state, 'running')
    assert.equal(scheduler.running().length, 1)
    scheduler.place = () => 'fake world'
    await simulation.crash()
    for (let i = 0; i < 40; i += 1) await simulation.advance(2_000)
    const { attempts } = await found(store, 'work/1')
    assert.deepEqual(
      attempts.map(({ exit }) => exit?.reason),
      ['attempt-timeout'],
    )
  })

  it('gives up no start meanwhile that it has only not heard of', async () => {
    await using simulation = await Simulation.open(fixedTypes(TYPE))
    const { scheduler, store } = simulation
    scheduler.program = () => ({ startsAfterMs: 3_000, runsMs: 20_000 })
    await simulation.accept('work', '1')
    await simulation.advance(1_000)
    scheduler.place = () => 'fake other'
    await simulation.crash()
    for (let i = 0; i < 20; i += 1) await simulation.advance(61_000)
    const [waits] = (await found(store, 'work/1')).attempts
    assert.deepEqual([waits?.state, waits?.stop], ['starting', undefined])
    scheduler.place = () => 'fake world'
    await simulation.crash()
    for (let i = 0; i < 10; i += 1) await simulation.advance(2_000)
    const { attempts } = await found(store, 'work/1')
    assert.deepEqual(
      attempts.map(({ exit }) => exit?.reason),
      ['completed'],
    )
  })
})
