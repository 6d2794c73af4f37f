import assert from 'node:assert/strict'
import { LeaseLost, Unavailable } from '../../src/core/errors.ts'
import { createDecider } from '../../src/engine/decider.ts'
import { createDefinitions } from '../../src/engine/definitions.ts'
import { createIntake } from '../../src/engine/intake.ts'
import { runLeader } from '../../src/engine/leader.ts'
import { createTransitions } from '../../src/engine/transitions.ts'
import type { Lease } from '../../src/ports/leadership.ts'
import type { Store } from '../../src/ports/store.ts'
import type { TaskStore } from '../../src/ports/task-store.ts'
import { type FakeCall, FakeScheduler } from '../support/fake-scheduler.ts'
import {
  CountingMeter,
  fixedTypes,
  JumpingClock,
  loadedType,
  Simulation,
} from '../support/simulation.ts'
import { found, openMemoryStore, until } from '../support/store.ts'
import { LineLogger } from './bus-harness.ts'

const TYPE = loadedType('work', { on_node_lost: { action: 'retry', after: '60s' } })

type Settling = Parameters<TaskStore['settle']>

/** A lease that the test ends when it likes. */
class HeldLease implements Lease {
  readonly epoch: number
  readonly #lost = new AbortController()
  leftMs = Number.POSITIVE_INFINITY
  disposed = false

  constructor(epoch: number) {
    this.epoch = epoch
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  remainingMs(): number {
    return this.lost.aborted ? 0 : this.leftMs
  }

  end(): void {
    this.#lost.abort()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true
    this.end()
    return Promise.resolve()
  }
}

/** A leader over a store in memory, whose lead the test gives and takes. */
class Harness implements AsyncDisposable {
  readonly clock: JumpingClock
  readonly store: Store
  readonly scheduler: FakeScheduler
  readonly logger = new LineLogger()
  readonly calls: FakeCall[] = []
  readonly leads: boolean[] = []
  readonly leases: HeldLease[] = []
  /** Writes made under a lease, by the lease's epoch. */
  readonly writes: (number | undefined)[] = []
  /** By how much what is due was shifted. */
  readonly shifts: number[] = []
  /** What the store says to where the scheduler is. */
  settle: TaskStore['settle'] = (at) => Promise.resolve({ at })
  abandonUnits = false
  /** What was told of where the units are: whether nothing goes through. */
  readonly withoutHome: boolean[] = []
  /** Whether the lead is to be had. */
  free = true
  /** How often others have led. */
  ledElsewhere = 0
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  private constructor(store: Store, clock: JumpingClock) {
    this.store = store
    this.clock = clock
    this.scheduler = new FakeScheduler({ now: () => clock.now() })
    this.scheduler.program = () => ({})
    this.scheduler.fault = (call) => {
      this.calls.push(call)
      return undefined
    }
  }

  static async open(): Promise<Harness> {
    const clock = new JumpingClock()
    return new Harness(await openMemoryStore(clock), clock)
  }

  run(): void {
    const { store, clock, logger, scheduler } = this
    const meter = new CountingMeter()
    Object.assign(meter, { leading: (leads: boolean) => void this.leads.push(leads) })
    const tasks = new Proxy(store.tasks, {
      get: (target, name: keyof Store['tasks']) => {
        // The store knows of no lease: these are the test's.
        if (name === 'purge') return () => Promise.resolve(0)
        if (name === 'settle') return (...call: Settling) => this.settle(...call)
        if (name === 'shiftDues') return (ms: number) => Promise.resolve(void this.shifts.push(ms))
        if (name !== 'apply') return (target[name] as () => unknown).bind(target)
        return (...[change, lease]: Parameters<Store['tasks']['apply']>) => {
          this.writes.push(lease?.epoch)
          return target.apply(change)
        }
      },
    })
    const definitions = createDefinitions(tasks, {}, logger)
    const transitions = createTransitions({ tasks, logger, meter })
    this.#running = runLeader(
      {
        store: {
          installation: store.installation,
          tasks,
          events: store.events,
          messages: store.messages,
          leadership: { acquire: (signal) => this.#acquire(signal) },
          onWrite: (topic, listener) => store.onWrite(topic, listener),
          remember: (name, value) => store.remember(name, value),
          check: () => store.check(),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        },
        transitions,
        definitions,
        decider: createDecider({ transitions, definitions, clock, logger, random: () => 0 }),
        scheduler,
        taskTypes: fixedTypes(TYPE),
        onTaskTypes: () => () => undefined,
        limitInFlight: 10,
        abandonUnits: this.abandonUnits,
        onHome: (refusal) => void this.withoutHome.push(refusal !== undefined),
        clock,
        logger,
        meter,
      },
      this.#stop.signal,
    )
  }

  async #acquire(signal: AbortSignal): Promise<Lease> {
    while (!this.free) {
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
    const lease = new HeldLease(this.leases.length + this.ledElsewhere + 1)
    this.leases.push(lease)
    return lease
  }

  get lease(): HeldLease {
    return this.leases.at(-1)!
  }

  async accept(id: string): Promise<void> {
    const { clock, logger } = this
    const intake = createIntake({ tasks: this.store.tasks, clock, logger, inputLimitBytes: 1_000 })
    const command = { messageId: `m-${id}`, attributes: {}, stickyAttributes: {} }
    await intake.runTask({ loaded: TYPE, id, input: {}, command })
  }

  called(method: FakeCall['method']): number {
    return this.calls.filter((call) => call.method === method).length
  }

  async rest(): Promise<void> {
    for (let turn = 0; turn < 60; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.rest()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.store[Symbol.asyncDispose]()
  }
}

describe('the leader', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await Harness.open()
  })
  afterEach(async () => {
    await harness[Symbol.asyncDispose]()
  })

  /** A start that does not come back, until its call is given up. */
  function hangingStart(): AbortSignal[] {
    const signals: AbortSignal[] = []
    const start = harness.scheduler.start.bind(harness.scheduler)
    harness.scheduler.start = async (unit, signal) => {
      signals.push(signal)
      if (signals.length > 1) return start(unit, signal)
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true })
      })
      throw new Unavailable('aborted', 'given up')
    }
    return signals
  }

  it('does nothing at all before it leads', async () => {
    harness.free = false
    harness.run()
    await harness.accept('1')
    await harness.rest()
    assert.deepEqual([harness.calls, harness.writes], [[], []])
    harness.free = true
    await until(() => harness.scheduler.running().length === 1, 'the task runs')
  })

  it('makes every write under its lease', async () => {
    harness.run()
    await harness.accept('1')
    await harness.rest()
    assert.equal((await found(harness.store, 'work/1')).task.state, 'running')
    assert.ok(harness.writes.length >= 2)
    assert.deepEqual(new Set(harness.writes), new Set([1]))
  })

  it('stops everything when the lease is lost in the middle of a call', async () => {
    const signals = hangingStart()
    harness.run()
    await harness.accept('1')
    await until(() => signals.length === 1, 'the start is under way')
    const before = await found(harness.store, 'work/1')
    harness.calls.length = 0
    harness.writes.length = 0
    harness.free = false
    harness.lease.end()
    await harness.accept('2')
    await harness.rest()
    assert.ok(signals[0]?.aborted, 'the call is given up')
    await harness.advance(120_000)
    assert.deepEqual(harness.calls, [], 'nothing is asked of the scheduler any more')
    assert.deepEqual(harness.writes, [])
    assert.deepEqual(await found(harness.store, 'work/1'), before, 'the row stays as it was')
    assert.deepEqual(harness.leads, [true, false])
    assert.ok(harness.logger.lines.some((line) => line.startsWith('lead.lost')))
    harness.free = true
    await harness.advance(1_000)
    await until(() => harness.scheduler.running().length === 2, 'the next lead takes it up')
    assert.deepEqual(new Set(harness.writes), new Set([2]))
    assert.equal((await found(harness.store, 'work/1')).task.attempt, 1, 'as the same attempt')
  })

  it('abandons units once: no later lead of the process does', async () => {
    const abandoning: (boolean | undefined)[] = []
    let away = true
    harness.abandonUnits = true
    harness.settle = async (at, _lease, options) => {
      abandoning.push(options?.abandon)
      if (away) throw new Unavailable('away', 'no store')
      return await Promise.resolve({ at })
    }
    const nextLead = async () => {
      harness.lease.end()
      await harness.rest()
      await harness.advance(1_000)
    }
    harness.run()
    await harness.rest()
    away = false
    await nextLead()
    await nextLead()
    assert.deepEqual(abandoning, [true, true, false])
  })

  it('tells that its units are elsewhere, and that this is over with its lead', async () => {
    harness.settle = () => Promise.resolve({ at: 'elsewhere', units: 1 })
    harness.run()
    await harness.rest()
    assert.deepEqual([harness.withoutHome, harness.calls], [[true], []])
    harness.free = false
    harness.lease.end()
    await harness.rest()
    assert.deepEqual(harness.withoutHome, [true, false])
  })

  it('makes no call that might outlast its lease', async () => {
    harness.run()
    await harness.rest()
    harness.lease.leftMs = 4_999
    await harness.accept('1')
    await harness.rest()
    assert.equal(harness.called('start'), 0)
    harness.lease.leftMs = 5_000
    await harness.advance(100)
    assert.equal(harness.called('start'), 1)
  })

  it('makes no call when the lease ends while it waits for the next renewal', async () => {
    harness.run()
    await harness.rest()
    harness.free = false
    harness.lease.leftMs = 1_000
    await harness.accept('1')
    await harness.rest()
    harness.lease.end()
    await harness.advance(1_000)
    assert.equal(harness.called('start'), 0)
  })

  it('gives up the lead when it ends, and leaves what runs running', async () => {
    harness.run()
    await harness.accept('1')
    await harness.rest()
    await harness.stop()
    assert.ok(harness.lease.disposed)
    assert.equal(harness.scheduler.running().length, 1)
    assert.equal(harness.called('stop') + harness.called('remove'), 0)
  })

  it('waits for a call that is under way before it gives up the lead', async () => {
    let finish: (() => void) | undefined
    const start = harness.scheduler.start.bind(harness.scheduler)
    harness.scheduler.start = async (unit, signal) => {
      await new Promise<void>((resolve) => (finish = resolve))
      return start(unit, signal)
    }
    harness.run()
    await harness.accept('1')
    await until(() => finish !== undefined, 'the start is under way')
    const stopped = harness.stop()
    await harness.rest()
    assert.ok(!harness.lease.disposed)
    finish?.()
    await stopped
    assert.ok(harness.lease.disposed)
    const { attempts } = await found(harness.store, 'work/1')
    assert.ok(attempts[0]?.confirmedAt, 'and records what came of it')
  })

  it('ends every loop when one of them fails, and leads again after a pause', async () => {
    harness.run()
    await harness.rest()
    const first = harness.lease
    const startable = harness.store.tasks.startable.bind(harness.store.tasks)
    harness.store.tasks.startable = () => Promise.reject(new LeaseLost())
    await harness.accept('1')
    await harness.rest()
    assert.ok(first.disposed, 'half a leader is none')
    harness.store.tasks.startable = startable
    await harness.advance(1_000)
    await until(() => harness.scheduler.running().length === 1, 'it goes on')
    assert.equal(harness.leases.length, 2)
  })

  it('goes on when the store is away for a while', async () => {
    harness.run()
    await harness.rest()
    const startable = harness.store.tasks.startable.bind(harness.store.tasks)
    harness.store.tasks.startable = () => Promise.reject(new Unavailable('store', 'away'))
    await harness.accept('1')
    await harness.rest()
    harness.store.tasks.startable = startable
    await harness.advance(1_000)
    assert.equal(harness.scheduler.running().length, 1)
    assert.equal(harness.leases.length, 1, 'that is no reason to give up the lead')
  })

  for (const [others, ledElsewhere] of [
    ['nobody else has led since', 0],
    ['somebody else has led since', 1],
  ] as const) {
    const does = ledElsewhere === 0 ? 'shifts what is due' : 'leaves what is due where it is'
    it(`${does} when a jump of the clock has ended its lease and ${others}`, async () => {
      harness.run()
      await harness.rest()
      harness.clock.jump(3_600_000)
      harness.lease.end()
      harness.ledElsewhere = ledElsewhere
      await harness.rest()
      await harness.advance(1_000)
      assert.equal(harness.leases.length, 2)
      assert.deepEqual(harness.shifts, ledElsewhere === 0 ? [3_600_000] : [])
    })
  }
})

describe('the reconciler', () => {
  /** Simulated time, in steps in which everything can happen that is due. */
  async function pass(simulation: Simulation, seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i += 1) {
      simulation.clock.advance(1_000)
      simulation.scheduler.settle()
      await simulation.quiesce()
    }
  }

  for (const leads of ['the same', 'another'])
    it(`makes the calls that failed as soon as the scheduler answers again, where ${leads} daemon leads then`, async () => {
      await using simulation = await Simulation.open(fixedTypes(TYPE))
      const { scheduler } = simulation
      scheduler.program = () => ({})
      await simulation.accept('work', 'stopped')
      scheduler.fault = () => 'before'
      scheduler.breakWatches()
      await simulation.accept('work', 'started')
      await simulation.process.control.cancel({ taskId: 'work/stopped' })
      // By then calls pause for a minute, and the watch for half of one.
      await pass(simulation, 70)
      let lists = 0
      scheduler.fault = ({ method }) => {
        if (method === 'list') lists += 1
        return undefined
      }
      if (leads === 'another') await simulation.crash()
      while (lists === 0) await pass(simulation, 1)
      const running = scheduler.running().map(({ identity }) => identity.taskId)
      assert.deepEqual(running, ['work/started'])
    })

  it('makes a call again at once that was under way when the scheduler came back, and failed', async () => {
    await using simulation = await Simulation.open(fixedTypes(TYPE))
    const { scheduler } = simulation
    scheduler.program = () => ({})
    await simulation.accept('work', '1')
    // Long enough for a list of it to be no news any more.
    await pass(simulation, 130)
    const stop = scheduler.stop.bind(scheduler)
    const away = new Unavailable('away', 'no answer')
    scheduler.fault = () => 'before'
    scheduler.stop = () => Promise.reject(away)
    scheduler.breakWatches()
    await simulation.process.control.cancel({ taskId: 'work/1' })
    await pass(simulation, 62)
    let fail: (() => void) | undefined
    scheduler.stop = () =>
      new Promise((_, reject) => {
        fail = () => {
          reject(away)
        }
      })
    while (fail === undefined) await pass(simulation, 1)
    let lists = 0
    scheduler.fault = ({ method }) => {
      if (method === 'list') lists += 1
      return undefined
    }
    scheduler.stop = stop
    while (lists === 0) await pass(simulation, 1)
    assert.equal(scheduler.running().length, 1, 'the stop is under way')
    fail()
    await pass(simulation, 2)
    assert.deepEqual(scheduler.running(), [])
  })

  it('does not call for a removal again and again while the scheduler does not answer', async () => {
    await using simulation = await Simulation.open(fixedTypes(TYPE))
    const { scheduler } = simulation
    scheduler.program = () => ({})
    await simulation.accept('work', '1')
    const [unit] = scheduler.running()
    let removals = 0
    scheduler.fault = ({ method }) => {
      if (method === 'remove') removals += 1
      return method === 'remove' ? 'before' : undefined
    }
    scheduler.drop(unit!.name, 'silently')
    await pass(simulation, 90)
    assert.ok(removals > 0, 'it is missed')
    await pass(simulation, 60)
    assert.ok(removals < 20, `${removals} calls in two minutes`)
    scheduler.fault = () => undefined
    await pass(simulation, 70)
    const { attempts } = await found(simulation.store, 'work/1')
    assert.equal(attempts[0]?.exit?.reason, 'lost')
  })

  it('stops and counts a late copy once, however slowly it goes away', async () => {
    await using simulation = await Simulation.open(fixedTypes(TYPE))
    const { scheduler } = simulation
    scheduler.program = () => ({})
    await simulation.accept('work', '1')
    const [unit] = scheduler.running()
    await simulation.process.control.cancel({ taskId: 'work/1' })
    await pass(simulation, 5)
    await simulation.deliver(0)
    await pass(simulation, 5)
    assert.equal((await found(simulation.store, 'work/1')).task.state, 'cancelled')
    // Somebody brings it back, as a node does that had been cut off.
    await scheduler.start(unit!, AbortSignal.timeout(1_000))
    let removals = 0
    scheduler.fault = ({ method }) => {
      if (method === 'remove') removals += 1
      return method === 'remove' ? 'before' : undefined
    }
    await pass(simulation, 70)
    assert.ok(removals > 0 && removals < 12, `${removals} calls in a minute`)
    scheduler.fault = () => undefined
    await pass(simulation, 70)
    assert.deepEqual(scheduler.running(), [])
    const { attempts } = await found(simulation.store, 'work/1')
    assert.ok(attempts[0]?.releasedAt)
    assert.ok(simulation.meter.lateCopies >= 1 && simulation.meter.lateCopies < 4)
  })
})
