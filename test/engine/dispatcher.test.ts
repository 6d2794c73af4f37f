import assert from 'node:assert/strict'
import { startConfirmed } from '../../src/core/attempt-calls.ts'
import { exitRecorded } from '../../src/core/attempts.ts'
import { startRank } from '../../src/core/admit.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { newTask, settle, stuck } from '../../src/core/lifecycle.ts'
import { currentAttempt } from '../../src/core/task.ts'
import { Bell } from '../../src/engine/bell.ts'
import { createDefinitions } from '../../src/engine/definitions.ts'
import { runDispatcher } from '../../src/engine/dispatcher.ts'
import { createTransitions } from '../../src/engine/transitions.ts'
import type { LoadedTaskType } from '../../src/engine/task-types.ts'
import type { Lease } from '../../src/ports/leadership.ts'
import type { Store } from '../../src/ports/store.ts'
import { CountingMeter, fixedTypes, loadedType } from '../support/simulation.ts'
import { found, ManualClock, openMemoryStore, QuietLogger, until } from '../support/store.ts'

const ANY = loadedType('any', {})
/** So much waiting makes up for one priority. */
const AGE_PER_PRIORITY_MS = -startRank(1, new Date(0))
const NO_RETRY = { kind: 'fail', rule: 'r', counted: true } as const

/** The dispatcher alone: what it starts is written down, and nothing runs. */
class Harness implements AsyncDisposable {
  readonly clock: ManualClock
  readonly store: Store
  readonly started: string[] = []
  types: LoadedTaskType[]
  limitInFlight = 1_000
  readonly logger = new QuietLogger()
  readonly #bell = new Bell()
  #stop = new AbortController()
  #lease: Lease | undefined
  #running: Promise<void> = Promise.resolve()
  #passes = 0

  private constructor(store: Store, clock: ManualClock, types: LoadedTaskType[]) {
    this.store = store
    this.clock = clock
    this.types = types
  }

  static async open(...types: LoadedTaskType[]): Promise<Harness> {
    const clock = new ManualClock()
    return new Harness(await openMemoryStore(clock), clock, types)
  }

  async accept(
    type: LoadedTaskType,
    id: string,
    wanted: { priority?: number; notBefore?: Date; input?: JsonObject } = {},
  ): Promise<void> {
    const { task, events } = newTask(
      type.type,
      { id, uid: `uid-${type.type.name}-${id}`, input: {}, ...wanted },
      { messageId: `m-${id}`, attributes: {}, stickyAttributes: {} },
      this.clock.now(),
    )
    await this.store.tasks.accept(task, type.definition, events)
  }

  /** As a leader's life: another one may follow on the same store. */
  async run(): Promise<void> {
    const { store, clock, logger } = this
    this.#stop = new AbortController()
    this.#lease = await store.leadership.acquire(this.#stop.signal)
    const { tasks } = store
    const byName = (name: string) => fixedTypes(...this.types).byName(name)
    this.#running = runDispatcher({
      installation: store.installation,
      tasks: new Proxy(tasks, {
        get: (target, name: keyof typeof tasks) => {
          if (name === 'nextStart') this.#passes += 1
          return (target[name] as () => unknown).bind(target)
        },
      }),
      transitions: createTransitions({ tasks, logger, meter: new CountingMeter() }),
      definitions: createDefinitions(tasks, {}, logger),
      taskTypes: { all: () => this.types, byName, byCommand: () => undefined },
      reconciler: { start: (taskId) => void this.started.push(taskId) },
      scheduler: {},
      limitInFlight: this.limitInFlight,
      lease: this.#lease,
      bell: this.#bell,
      drift: { check: () => Promise.resolve() },
      clock,
      logger,
      signal: this.#stop.signal,
    })
    await this.settled()
  }

  /** Until the dispatcher has looked at everything once more and sleeps. */
  async settled(): Promise<void> {
    const before = this.#passes
    this.#bell.ring()
    await until(() => this.#passes > before, 'the dispatcher has come to rest')
    // A ring that came while it worked brings one look more.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#lease?.[Symbol.asyncDispose]()
  }

  /** What was started since the last time. */
  take(): string[] {
    return this.started.splice(0)
  }

  /** The attempt ends, and the task with it. */
  async end(taskId: string): Promise<void> {
    const now = this.clock.now()
    const { tasks } = this.store
    const record = await found(this.store, taskId)
    const { type } = ANY
    await tasks.apply(
      exitRecorded(record, currentAttempt(record)!, type, { reason: 'failed' }, now),
    )
    const ended = await found(this.store, taskId)
    await tasks.apply(settle(ended, type, NO_RETRY, currentAttempt(ended)!.exit!, now))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.store[Symbol.asyncDispose]()
  }
}

describe('the dispatcher', () => {
  it('writes that an attempt is starting before it has it started', async () => {
    await using harness = await Harness.open(ANY)
    await harness.accept(ANY, '1')
    await harness.run()
    assert.deepEqual(harness.take(), ['any/1'])
    const { task, attempts } = await found(harness.store, 'any/1')
    assert.deepEqual([task.state, task.attempt, attempts.length], ['starting', 1, 1])
    assert.match(attempts[0]!.unit, /^lh-any-[a-z2-7]{19}$/)
    assert.ok(!('dueAt' in task))
  })

  it('spends no attempt on a task whose deadline has passed while nobody led', async () => {
    const hurried = loadedType('hurried', { deadline: '30m' })
    await using harness = await Harness.open(hurried, ANY)
    await harness.accept(hurried, 'late')
    await harness.accept(ANY, 'other')
    harness.clock.advance(3_600_000)
    await harness.run()
    assert.deepEqual(harness.take(), ['any/other'])
    assert.deepEqual((await found(harness.store, 'hurried/late')).attempts, [])
  })

  it('starts by priority, then by age', async () => {
    await using harness = await Harness.open(ANY)
    harness.limitInFlight = 1
    await harness.accept(ANY, 'low', { priority: -1 })
    harness.clock.advance(1_000)
    await harness.accept(ANY, 'first')
    harness.clock.advance(1_000)
    await harness.accept(ANY, 'second')
    harness.clock.advance(1_000)
    await harness.accept(ANY, 'high', { priority: 5 })
    await harness.run()
    const order: string[] = []
    for (let i = 0; i < 4; i += 1) {
      const [next] = harness.take()
      assert.ok(next)
      order.push(next)
      await harness.end(next)
      await harness.settled()
    }
    assert.deepEqual(order, ['any/high', 'any/first', 'any/second', 'any/low'])
  })

  it('lets a low priority age, so that it does not starve', async () => {
    await using harness = await Harness.open(ANY)
    harness.limitInFlight = 1
    await harness.accept(ANY, 'low', { priority: -1 })
    harness.clock.advance(AGE_PER_PRIORITY_MS + 1_000)
    await harness.accept(ANY, 'normal')
    await harness.run()
    assert.deepEqual(harness.take(), ['any/low'])
  })

  it('starts nothing before it is due, and then at once', async () => {
    await using harness = await Harness.open(ANY)
    const at = (ms: number) => new Date(harness.clock.now().getTime() + ms)
    await harness.accept(ANY, 'later', { notBefore: at(120_000) })
    await harness.accept(ANY, 'soon', { notBefore: at(5_000) })
    await harness.run()
    assert.deepEqual(harness.take(), [])
    harness.clock.advance(4_999)
    await harness.settled()
    assert.deepEqual(harness.take(), [])
    // Nobody rings: its own sleep ends.
    harness.clock.advance(1)
    await until(() => harness.started.length > 0, 'it is started')
    assert.deepEqual(harness.take(), ['any/soon'])
    harness.clock.advance(60_000)
    harness.clock.advance(55_000)
    await until(() => harness.started.length > 0, 'the other is started')
    assert.deepEqual(harness.take(), ['any/later'])
  })

  it('starts nothing of a stuck task', async () => {
    await using harness = await Harness.open(ANY)
    await harness.accept(ANY, '1')
    const record = await found(harness.store, 'any/1')
    await harness.store.tasks.apply(stuck(record, ANY.type, 'why', harness.clock.now()))
    await harness.run()
    assert.deepEqual(harness.take(), [])
  })

  it('keeps to the limit of the daemon', async () => {
    await using harness = await Harness.open(ANY)
    harness.limitInFlight = 3
    for (let i = 0; i < 5; i += 1) await harness.accept(ANY, `${i}`)
    await harness.run()
    assert.equal(harness.started.length, 3)
    await harness.settled()
    assert.equal(harness.started.length, 3)
    const [first = ''] = harness.take()
    await harness.end(first)
    await harness.settled()
    assert.equal(harness.take().length, 1)
  })

  it('keeps to the limit of a type, and of each value of its key', async () => {
    const typed = loadedType('typed', { concurrency: { limit: 2 } })
    const keyed = loadedType('keyed', { concurrency: { limit: 1, key: '/tenant' } })
    await using harness = await Harness.open(typed, keyed, ANY)
    for (const id of ['1', '2', '3']) {
      await harness.accept(typed, id)
      await harness.accept(ANY, id)
      for (const tenant of ['a', 'b', 'c']) {
        await harness.accept(keyed, `${tenant}${id}`, { input: { tenant } })
      }
    }
    await harness.run()
    assert.deepEqual(harness.take().toSorted(), [
      'any/1',
      'any/2',
      'any/3',
      'keyed/a1',
      'keyed/b1',
      'keyed/c1',
      'typed/1',
      'typed/2',
    ])
    await harness.end('keyed/b1')
    await harness.end('typed/2')
    await harness.settled()
    assert.deepEqual(harness.take().toSorted(), ['keyed/b2', 'typed/3'])
  })

  it('counts attempts in flight, whatever ended beside them', async () => {
    const typed = loadedType('typed', { concurrency: { limit: 1 } })
    await using harness = await Harness.open(typed)
    await harness.accept(typed, '1')
    await harness.accept(typed, '2')
    await harness.run()
    assert.deepEqual(harness.take(), ['typed/1'])
    const record = await found(harness.store, 'typed/1')
    const now = harness.clock.now()
    await harness.store.tasks.apply(
      startConfirmed(record, currentAttempt(record)!, typed.type, now),
    )
    await harness.settled()
    assert.deepEqual(harness.take(), [], 'confirmed is in flight too')
  })

  it('lets ten thousand of a blocked key neither start nor delay others', async () => {
    const keyed = loadedType('keyed', { concurrency: { limit: 1, key: '/tenant' } })
    await using harness = await Harness.open(keyed)
    for (let i = 0; i < 10_000; i += 1) {
      await harness.accept(keyed, `big-${i}`, { input: { tenant: 'big' }, priority: 10 })
    }
    await harness.run()
    assert.deepEqual(harness.take(), ['keyed/big-0'])
    await harness.accept(keyed, 'small', { input: { tenant: 'small' } })
    const begun = performance.now()
    await harness.settled()
    assert.deepEqual(harness.take(), ['keyed/small'])
    assert.ok(performance.now() - begun < 500, `it took ${performance.now() - begun} ms`)
  }).timeout(30_000)

  it('applies the limits of new task types at once, up and down', async () => {
    const limited = (limit: number) => loadedType('typed', { concurrency: { limit } })
    await using harness = await Harness.open(limited(1))
    for (let i = 0; i < 6; i += 1) await harness.accept(limited(1), `${i}`)
    await harness.run()
    assert.equal(harness.take().length, 1)
    harness.types = [limited(3)]
    await harness.settled()
    assert.equal(harness.take().length, 2)
    harness.types = [limited(2)]
    await harness.end('typed/0')
    await harness.settled()
    assert.equal(harness.take().length, 0, 'two are in flight: as many as may be')
    harness.types = [loadedType('typed', {})]
    await harness.settled()
    assert.equal(harness.take().length, 3, 'no limit any more')
  })

  it('keeps the last limit of a type that is gone', async () => {
    const typed = loadedType('typed', { concurrency: { limit: 2 } })
    await using harness = await Harness.open(typed)
    for (let i = 0; i < 5; i += 1) await harness.accept(typed, `${i}`)
    harness.types = []
    await harness.run()
    assert.equal(harness.take().length, 2)
  })

  it('leaks no slot when the leader crashes: what is in flight is counted from rows', async () => {
    const typed = loadedType('typed', { concurrency: { limit: 2 } })
    await using harness = await Harness.open(typed)
    harness.limitInFlight = 2
    for (let i = 0; i < 4; i += 1) await harness.accept(typed, `${i}`)
    await harness.run()
    assert.deepEqual(harness.take().toSorted(), ['typed/0', 'typed/1'])
    await harness.stop()
    await harness.end('typed/0')
    await harness.run()
    assert.deepEqual(harness.take(), ['typed/2'], 'one slot was free, not two and not none')
    await harness.stop()
    await harness.end('typed/1')
    await harness.end('typed/2')
    await harness.run()
    assert.deepEqual(harness.take(), ['typed/3'])
  })

  it('gives a retry the next number, and lets it wait for its backoff', async () => {
    await using harness = await Harness.open(ANY)
    await harness.accept(ANY, '1')
    await harness.run()
    harness.take()
    const now = harness.clock.now()
    const { tasks } = harness.store
    let record = await found(harness.store, 'any/1')
    const unit = currentAttempt(record)!.unit
    await tasks.apply(
      exitRecorded(record, currentAttempt(record)!, ANY.type, { reason: 'failed' }, now),
    )
    record = await found(harness.store, 'any/1')
    const dueAt = new Date(now.getTime() + 5_000)
    const retry = { kind: 'retry', rule: 'r', counted: true, dueAt } as const
    await tasks.apply(settle(record, ANY.type, retry, currentAttempt(record)!.exit!, now))
    await harness.settled()
    assert.deepEqual(harness.take(), [])
    harness.clock.advance(5_000)
    await until(() => harness.started.length > 0, 'it is started again')
    record = await found(harness.store, 'any/1')
    assert.equal(record.task.attempt, 2)
    assert.notEqual(currentAttempt(record)!.unit, unit)
  })

  it('does not start what somebody has cancelled meanwhile', async () => {
    await using harness = await Harness.open(ANY)
    await harness.accept(ANY, '1')
    const original = harness.store.tasks.startable.bind(harness.store.tasks)
    harness.store.tasks.startable = async (...args) => {
      const records = await original(...args)
      for (const record of records) {
        await harness.store.tasks.apply(stuck(record, ANY.type, 'meanwhile', harness.clock.now()))
      }
      return records
    }
    await harness.run()
    assert.deepEqual(harness.take(), [])
    assert.equal((await found(harness.store, 'any/1')).task.state, 'queued')
  })
})
