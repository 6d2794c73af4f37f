import assert from 'node:assert/strict'
import type { Sighting } from '../../src/core/reconcile.ts'
import type { UnitSpec } from '../../src/core/unit.ts'
import { Bell } from '../../src/engine/bell.ts'
import { runWatcher } from '../../src/engine/watcher.ts'
import type { Store } from '../../src/ports/store.ts'
import { type FakeCall, FakeScheduler } from '../support/fake-scheduler.ts'
import { CountingMeter, loadedType } from '../support/simulation.ts'
import { ManualClock, openMemoryStore, startedTask, until } from '../support/store.ts'
import { LineLogger } from './bus-harness.ts'

const { service } = loadedType('encode', {}).type

/** The watcher alone: what it sees is written down. */
class Harness implements AsyncDisposable {
  readonly clock: ManualClock
  readonly store: Store
  readonly scheduler: FakeScheduler
  readonly logger = new LineLogger()
  readonly meter = new CountingMeter()
  readonly bell = new Bell()
  readonly calls: string[] = []
  readonly seen: { readonly taskId: string; readonly sighting: Sighting }[] = []
  /** Thrown by the reconciler, if anything. */
  refusal: Error | undefined
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  private constructor(store: Store, clock: ManualClock) {
    this.store = store
    this.clock = clock
    this.scheduler = new FakeScheduler({ now: () => clock.now() })
    this.scheduler.program = () => ({})
    this.faults(() => undefined)
  }

  static async open(): Promise<Harness> {
    const clock = new ManualClock()
    return new Harness(await openMemoryStore(clock), clock)
  }

  faults(fault: (call: FakeCall) => 'before' | 'after' | undefined): void {
    this.scheduler.fault = (call) => {
      this.calls.push(call.method)
      return fault(call)
    }
  }

  /** A task whose attempt the scheduler runs (or does not know). */
  async task(id: string, held = true): Promise<string> {
    await startedTask(this.store, this.clock, id)
    const unit = `lh-encode-${id}`
    if (held) await this.hold(unit, `encode/${id}`, `uid-${id}`)
    return unit
  }

  async hold(name: string, taskId: string, taskUid: string, installation?: string): Promise<void> {
    const spec: UnitSpec = {
      name,
      identity: {
        installation: installation ?? this.store.installation,
        taskId,
        taskUid,
        taskType: 'encode',
        run: 1,
        attempt: 1,
      },
      service,
      directory: '/',
      logTailBytes: 100,
    }
    await this.scheduler.start(spec, AbortSignal.timeout(1_000))
    this.calls.length = 0
  }

  run(): void {
    this.#running = runWatcher({
      installation: this.store.installation,
      scheduler: this.scheduler,
      tasks: this.store.tasks,
      onListed: () => undefined,
      reconciler: {
        see: (taskId, sighting) => {
          this.seen.push({ taskId, sighting })
          return this.refusal === undefined ? Promise.resolve() : Promise.reject(this.refusal)
        },
        callAgain: () => Promise.resolve(),
      },
      bell: this.bell,
      clock: this.clock,
      logger: this.logger,
      meter: this.meter,
      signal: this.#stop.signal,
    })
  }

  /** Lets everything go on that can. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.rest()
  }

  /** The pause after a list, and the slow tick. */
  async tick(): Promise<void> {
    await this.advance(1_000)
    await this.advance(60_000)
  }

  /** What was seen since the last time, in words. */
  take(): string[] {
    return this.seen.splice(0).map(({ taskId, sighting }) => {
      if ('absence' in sighting) return `${taskId} absent`
      const how = sighting.listedAt === undefined ? 'told' : 'listed'
      return `${taskId} ${sighting.observation.phase} ${how}`
    })
  }

  takeCalls(): string[] {
    return this.calls.splice(0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.store[Symbol.asyncDispose]()
  }
}

describe('the watcher', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await Harness.open()
  })
  afterEach(async () => {
    await harness[Symbol.asyncDispose]()
  })

  it('subscribes, then lists, then consumes: nothing falls in between', async () => {
    const unit = await harness.task('1')
    let listed = false
    harness.faults(({ method }) => {
      if (method === 'list' && !listed) {
        listed = true
        // Just after the list has been answered.
        queueMicrotask(() => {
          harness.scheduler.finish(unit)
        })
      }
      return undefined
    })
    harness.run()
    await harness.rest()
    assert.deepEqual(harness.takeCalls(), ['watch', 'list'])
    assert.deepEqual(harness.take(), ['encode/1 running listed', 'encode/1 exited told'])
  })

  it('says what a list lacks, with the time at which the list was begun', async () => {
    await harness.task('1')
    await harness.task('2', false)
    const begun = harness.clock.now()
    harness.run()
    await harness.rest()
    const absent = harness.seen.find(({ taskId }) => taskId === 'encode/2')?.sighting
    assert.deepEqual(absent, {
      unit: 'lh-encode-2',
      absence: { phase: 'absent', listedAt: begun },
    })
    assert.deepEqual(harness.take().toSorted(), ['encode/1 running listed', 'encode/2 absent'])
  })

  it('does not call absent what was started while the list was read', async () => {
    harness.run()
    await harness.rest()
    harness.take()
    // The row is written, then the unit is held, then a list that was begun before comes back.
    let late: (() => void) | undefined
    const list = harness.scheduler.list.bind(harness.scheduler)
    harness.scheduler.list = async (signal) => {
      const observations = await list(signal)
      await new Promise<void>((resolve) => (late = resolve))
      return observations
    }
    await harness.advance(60_000)
    const listedAt = harness.clock.now()
    harness.clock.advance(10)
    await harness.task('1')
    late?.()
    await harness.rest()
    const absent = harness.seen.find(({ sighting }) => 'absence' in sighting)?.sighting
    // Whether that is news the reconciler decides by the time of the list.
    assert.ok(absent && 'absence' in absent)
    assert.deepEqual(absent.absence.listedAt, listedAt)
  })

  it('lists again on a slow tick, for streams lose events', async () => {
    const unit = await harness.task('1')
    harness.run()
    await harness.rest()
    harness.take()
    harness.scheduler.delivery = () => 'lose'
    harness.scheduler.finish(unit)
    await harness.advance(59_999)
    assert.deepEqual(harness.take(), [])
    await harness.advance(1)
    assert.deepEqual(harness.take(), ['encode/1 exited listed'])
  })

  it('lists soon when it is asked to, but not without a pause', async () => {
    harness.run()
    await harness.rest()
    harness.takeCalls()
    harness.bell.ring()
    await harness.rest()
    assert.deepEqual(harness.takeCalls(), ['list'])
    harness.bell.ring()
    harness.bell.ring()
    await harness.advance(999)
    assert.deepEqual(harness.takeCalls(), [])
    await harness.advance(1)
    assert.deepEqual(harness.takeCalls(), ['list'])
    await harness.advance(5_000)
    assert.deepEqual(harness.takeCalls(), [])
  })

  it('subscribes and lists again when the stream breaks, and sees what it has missed', async () => {
    const unit = await harness.task('1')
    harness.run()
    await harness.rest()
    harness.take()
    harness.takeCalls()
    harness.scheduler.breakWatches()
    await harness.rest()
    harness.scheduler.finish(unit)
    await harness.advance(200)
    assert.deepEqual(harness.takeCalls(), ['watch', 'list'])
    assert.deepEqual(harness.take(), ['encode/1 exited listed'])
  })

  it('pauses longer after each failure in a row, to thirty seconds, whatever has failed', async () => {
    let method: FakeCall['method'] = 'watch'
    harness.faults((call) => (call.method === method ? 'before' : undefined))
    harness.run()
    await harness.rest()
    for (const ms of [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
      harness.takeCalls()
      await harness.advance(ms - 1)
      assert.deepEqual(harness.takeCalls(), [], `not before ${ms} ms`)
      await harness.advance(1)
      assert.deepEqual(harness.takeCalls().slice(0, 1), ['watch'], `after ${ms} ms`)
      method = method === 'watch' ? 'list' : 'watch'
    }
    const reconnecting = harness.logger.lines.filter((line) => line.startsWith('watcher.'))
    assert.equal(reconnecting.length, 11, 'each is said')
  })

  it('begins with a short pause again after a stream that has lasted', async () => {
    let away = true
    harness.faults(({ method }) => (away && method === 'watch' ? 'before' : undefined))
    harness.run()
    await harness.rest()
    for (const ms of [200, 400, 800]) await harness.advance(ms)
    away = false
    await harness.advance(1_600)
    await harness.advance(40_000)
    harness.scheduler.breakWatches()
    await harness.rest()
    harness.takeCalls()
    await harness.advance(200)
    assert.deepEqual(harness.takeCalls(), ['watch', 'list'])
  })

  it('reports an orphan once, counts it, and removes nothing', async () => {
    await harness.hold('lh-encode-lost', 'encode/unknown', 'uid')
    await harness.task('1')
    await harness.hold('lh-encode-older', 'encode/1', 'uid of another before')
    harness.run()
    await harness.rest()
    assert.equal(harness.meter.orphansSeen, 2)
    for (let minute = 0; minute < 3; minute += 1) await harness.tick()
    const lines = harness.logger.lines.filter((line) => line.startsWith('unit.orphan'))
    assert.equal(lines.length, 2)
    assert.ok(lines[0]!.includes('lh-encode-lost') && lines[0]!.includes('encode/unknown'))
    assert.equal(harness.meter.orphansSeen, 2)
    assert.deepEqual(new Set(harness.takeCalls()), new Set(['watch', 'list']), 'no stop, no remove')
    assert.ok(harness.seen.every(({ taskId }) => taskId === 'encode/1'))
    await harness.scheduler.remove('lh-encode-lost', AbortSignal.timeout(1_000))
    await harness.tick()
    assert.equal(harness.meter.orphansSeen, 1, 'an operator has removed one')
  })

  it('counts a unit that the scheduler has run a second time once, and says why', async () => {
    const unit = await harness.task('1')
    const list = harness.scheduler.list.bind(harness.scheduler)
    const copy = 'another allocation'
    harness.scheduler.list = async (signal) => (await list(signal)).map((one) => ({ ...one, copy }))
    harness.run()
    await harness.rest()
    await harness.tick()
    assert.equal(harness.meter.lateCopies, 1)
    const lines = harness.logger.lines.filter((line) => line.startsWith('unit.copied'))
    assert.equal(lines.length, 1)
    assert.ok(lines[0]?.includes(unit) && lines[0].includes(copy))
  })

  it('leaves another installation’s units alone', async () => {
    await harness.hold('lh-encode-theirs', 'encode/1', 'uid', 'another installation')
    harness.run()
    await harness.rest()
    assert.deepEqual([harness.meter.orphansSeen, harness.take()], [0, []])
  })

  it('says nothing twice that a list shows again', async () => {
    const unit = await harness.task('1')
    harness.run()
    await harness.rest()
    assert.deepEqual(harness.take(), ['encode/1 running listed'])
    await harness.advance(60_000)
    assert.deepEqual(harness.take(), [])
    harness.scheduler.delivery = () => 'lose'
    harness.scheduler.finish(unit)
    await harness.tick()
    assert.deepEqual(harness.take(), ['encode/1 exited listed'])
    await harness.tick()
    const again = ['encode/1 exited listed']
    assert.deepEqual(harness.take(), again, 'but for an end, until the store knows it')
  })

  it('takes a list for news again once the stream has spoken in between', async () => {
    await harness.task('1')
    harness.run()
    await harness.rest()
    harness.take()
    harness.scheduler.loseNode('node-1')
    await harness.rest()
    assert.deepEqual(harness.take(), ['encode/1 unreachable told'])
    harness.scheduler.delivery = () => 'lose'
    harness.scheduler.returnNode('node-1')
    await harness.tick()
    assert.deepEqual(harness.take(), ['encode/1 running listed'])
  })

  it('says again what could not be handled', async () => {
    await harness.task('1')
    harness.refusal = new Error('the store is away')
    harness.run()
    await harness.rest()
    assert.deepEqual(harness.take(), ['encode/1 running listed'])
    harness.refusal = undefined
    await harness.advance(60_000)
    assert.deepEqual(harness.take(), ['encode/1 running listed'])
    await harness.tick()
    assert.deepEqual(harness.take(), [])
  })

  it('ends when it is told to, and takes its subscription with it', async () => {
    harness.run()
    await harness.rest()
    let open: boolean | undefined
    const watch = harness.scheduler.watch.bind(harness.scheduler)
    harness.scheduler.watch = async (signal) => {
      open = true
      signal.addEventListener('abort', () => (open = false))
      return watch(signal)
    }
    harness.scheduler.breakWatches()
    await harness.rest()
    await harness.advance(200)
    assert.equal(open, true)
    await harness[Symbol.asyncDispose]()
    await until(() => open === false, 'the subscription has ended')
    harness = await Harness.open()
  })
})
