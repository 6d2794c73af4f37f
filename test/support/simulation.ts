import assert from 'node:assert/strict'
import { compileTaskType } from '../../src/core/compose/compile.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { TaskRecord } from '../../src/core/task.ts'
import type { Definition, TaskType } from '../../src/core/task-type.ts'
import type { UnitSpec } from '../../src/core/unit.ts'
import { Bell } from '../../src/engine/bell.ts'
import { type Control, createControl } from '../../src/engine/control.ts'
import { createDecider, type Decider } from '../../src/engine/decider.ts'
import { createDefinitions } from '../../src/engine/definitions.ts'
import { createIntake, type Intake } from '../../src/engine/intake.ts'
import { runLeader } from '../../src/engine/leader.ts'
import { runPublisher } from '../../src/engine/publisher.ts'
import type { LoadedTaskType, TaskTypes } from '../../src/engine/task-types.ts'
import { createTransitions } from '../../src/engine/transitions.ts'
import type { LoggedEvent } from '../../src/ports/event-log.ts'
import type { Leadership, Lease } from '../../src/ports/leadership.ts'
import type { Meter } from '../../src/ports/meter.ts'
import type { Store } from '../../src/ports/store.ts'
import { FakeScheduler } from './fake-scheduler.ts'
import { ManualClock, openMemoryStore, QuietLogger } from './store.ts'

/** A task type from its `x-task` block alone. */
export function loadedType(name: string, xTask: JsonObject, service: JsonObject = {}) {
  const definition: Definition = {
    name,
    hash: `hash-of-${name}-${JSON.stringify(xTask).length}`,
    directory: '/',
    compose: { services: { [name]: { command: ['true'], ...service, 'x-task': xTask } } },
  }
  const type: TaskType = compileTaskType(definition, {})
  const loaded: LoadedTaskType = { type, definition, validateInput: () => [] }
  return loaded
}

export function fixedTypes(...all: LoadedTaskType[]): TaskTypes {
  return {
    all: () => all,
    byName: (name) => all.find(({ type }) => type.name === name),
    byCommand: (name) => all.find(({ type }) => type.command === name),
  }
}

/** Every attempt of a run was given the image that its first was given: one with a digest. */
export function runsOneImage(taken: readonly UnitSpec[]): void {
  const images = new Map<string, string>()
  for (const { identity, service } of taken) {
    const run = `${identity.taskUid}/${identity.run}`
    const first = images.get(run) ?? service.image ?? ''
    assert.match(first, /@/, 'an attempt runs by a tag')
    assert.equal(service.image, first, 'a run has two images')
    images.set(run, first)
  }
}

export class CountingMeter implements Meter {
  orphansSeen = 0
  lateCopies = 0
  readonly attemptEnded = ignore
  readonly taskEnded = ignore
  readonly exitPublished = ignore
  readonly listed = ignore
  readonly watching = ignore
  readonly leading = ignore
  readonly message = ignore
  orphans(count: number): void {
    this.orphansSeen = count
  }
  lateCopy(): void {
    this.lateCopies += 1
  }
}

function ignore(): void {
  // Not counted here.
}

/** A clock whose wall time somebody sets; nothing else goes by that, the scheduler's programs neither. */
export class JumpingClock extends ManualClock {
  #aheadMs = 0

  override now(): Date {
    return new Date(this.monotonicMs() + this.#aheadMs)
  }

  jump(ms: number): void {
    this.#aheadMs += ms
  }
}

/** One daemon process of the simulation: it can be killed or frozen between any two calls. */
interface Process {
  readonly decider: Decider
  readonly control: Control
  readonly intake: Intake
  readonly stop: () => Promise<void>
  /** Its lease ends, and it does not hear of it. */
  kill(): Promise<void>
  freeze(): Promise<void>
  thaw(): void
  /**
   * Nothing of it goes on from just before or just after its n-th call from now that has an effect, on
   * the store or the scheduler. Resolves when that has come; `kill` is then still to be called.
   */
  dieAt(call: number, when: 'before' | 'after'): Promise<void>
}

/**
 * The whole engine in one process with a clock that stands still, a scheduler in memory and a bus that
 * is the test's: what the publisher brings out lies in `wire` until the test delivers it.
 */
export class Simulation implements AsyncDisposable {
  readonly clock: JumpingClock
  readonly scheduler: FakeScheduler
  readonly meter = new CountingMeter()
  readonly logger = new QuietLogger()
  readonly wire: { readonly taskId: string; readonly attempt: number }[] = []
  readonly store: Store
  readonly taskTypes: TaskTypes
  publishing = true
  process: Process
  readonly #dead: Process[] = []
  readonly #units = new Map<string, UnitSpec>()

  private constructor(store: Store, taskTypes: TaskTypes, clock: JumpingClock) {
    this.store = store
    this.taskTypes = taskTypes
    this.clock = clock
    this.scheduler = new FakeScheduler({ now: () => new Date(clock.monotonicMs()) })
    this.process = this.#spawn()
  }

  static async open(taskTypes: TaskTypes): Promise<Simulation> {
    const clock = new JumpingClock()
    return new Simulation(await openMemoryStore(clock), taskTypes, clock)
  }

  #spawn(): Process {
    const gate = new Gate()
    const held: Lease[] = []
    const store = gated({ ...this.#parts(), leadership: outlived(this.store, held) }, gate)
    const scheduler = gated(this.scheduler, gate)
    const { clock, logger, meter, taskTypes } = this
    const definitions = createDefinitions(store.tasks, {}, logger)
    const transitions = createTransitions({ tasks: store.tasks, logger, meter })
    const common = { tasks: store.tasks, transitions, definitions, taskTypes, clock, logger }
    const decider = createDecider({ ...common, random: () => 0.5 })
    const stopped = new AbortController()
    const bell = new Bell()
    const unlisten = this.store.onWrite('events', bell.ring)
    const leader = runLeader(
      {
        ...common,
        store,
        decider,
        scheduler,
        onTaskTypes: () => () => undefined,
        limitInFlight: 10,
        meter,
      },
      stopped.signal,
    )
    const publisher = runPublisher({
      events: store.events,
      transport: { publish: (event) => this.#publish(event as unknown as JsonObject) },
      bell,
      clock,
      logger,
      meter,
      signal: stopped.signal,
    })
    return {
      decider,
      control: createControl(common),
      intake: createIntake({ ...common, inputLimitBytes: 65_536 }),
      kill: async () => {
        gate.shut('for ever')
        unlisten()
        await endAll(held)
      },
      freeze: async () => {
        gate.shut()
        await endAll(held)
      },
      thaw: () => {
        gate.open()
      },
      dieAt: (call, when) => gate.dieAt(call, when),
      async stop() {
        unlisten()
        stopped.abort()
        await Promise.all([leader, publisher])
      },
    }
  }

  #parts(): Store {
    const { installation, tasks, events, messages, leadership } = this.store
    const { store } = this
    return {
      installation,
      tasks,
      events,
      messages,
      leadership,
      onWrite: (topic, listener) => store.onWrite(topic, listener),
      remember: (name, value) => store.remember(name, value),
      check: () => store.check(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  }

  #publish(message: JsonObject): Promise<void> {
    if (!this.publishing) return Promise.reject(new Error('the broker is away'))
    if (message['$name'] === 'longhaul/task-exited') {
      this.wire.push({ taskId: message['taskId'] as string, attempt: Number(message['attempt']) })
    }
    return Promise.resolve()
  }

  /** kill -9, and another process takes over. */
  async crash(): Promise<void> {
    await this.process.kill()
    this.process = this.#spawn()
    await this.quiesce()
  }

  /** The leader stands still, another takes over, and the first wakes and finds out. */
  async takeOver(): Promise<void> {
    const frozen = this.process
    await frozen.freeze()
    this.process = this.#spawn()
    await this.quiesce()
    frozen.thaw()
    this.#dead.push(frozen)
    await this.quiesce()
    await frozen.stop()
  }

  async accept(type: string, id: string): Promise<void> {
    const loaded = this.taskTypes.byName(type)
    assert.ok(loaded)
    const command = { messageId: `m-${id}`, attributes: {}, stickyAttributes: {} }
    await this.process.intake.runTask({ loaded, id, input: {}, command })
    await this.quiesce()
  }

  async deliver(index: number): Promise<void> {
    const message = this.wire[index % Math.max(1, this.wire.length)]
    if (message) await this.process.decider.decide(message.taskId, message.attempt)
    await this.quiesce()
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms)
    this.scheduler.settle()
    await this.quiesce()
    this.check()
  }

  /** Lets everything that can go on go on. */
  async quiesce(): Promise<void> {
    for (let turn = 0; turn < 60; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }

  /** What must hold at every moment: no task runs twice on nodes that answer, no attempt ever. */
  check(): void {
    const running = this.scheduler.running()
    for (const unit of running) this.#units.set(unit.name, unit)
    for (const name of this.#units.keys()) {
      assert.ok(this.scheduler.starts(name) <= 1, `${name} was started more than once`)
    }
  }

  async records(): Promise<readonly TaskRecord[]> {
    return (await this.store.tasks.list({ limit: 200 })).tasks
  }

  async events(): Promise<readonly LoggedEvent[]> {
    return (await this.store.events.read({ limit: 10_000 })).events
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop()
    await this.store[Symbol.asyncDispose]()
  }
}

/** Leases that end without their holder's hearing of it: only the store's epoch tells. */
function outlived(store: Store, held: Lease[]): Leadership {
  return {
    async acquire(signal) {
      const real = await store.leadership.acquire(signal)
      held.push(real)
      return {
        epoch: real.epoch,
        lost: new AbortController().signal,
        remainingMs: () => Infinity,
        [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
      }
    },
  }
}

async function endAll(leases: readonly Lease[]): Promise<void> {
  for (const lease of leases) await lease[Symbol.asyncDispose]()
}

/** Calls that leave something behind. */
const EFFECTS: ReadonlySet<string | symbol> = new Set([
  ...[
    'accept',
    'apply',
    'append',
    'define',
    'settle',
    'shiftDues',
    'purge',
    'markSent',
    'giveBack',
  ],
  ...['acquire', 'resolve', 'start', 'stop', 'remove'],
])

/** Whether calls go through: a frozen process's wait, a killed one's never come back. */
class Gate {
  #closed: Promise<void> | undefined
  #open: (() => void) | undefined
  #effects = 0
  #death: { readonly call: number; readonly when: string; readonly tell: () => void } | undefined

  dieAt(call: number, when: 'before' | 'after'): Promise<void> {
    return new Promise((tell) => {
      this.#death = { call: this.#effects + call, when, tell }
    })
  }

  /** Makes a call that has an effect, unless the process is to die first. */
  async effect<T>(call: () => T): Promise<Awaited<T>> {
    this.#effects += 1
    const number = this.#effects
    await this.#live(number, 'before')
    const result = await call()
    await this.#live(number, 'after')
    return result
  }

  async #live(number: number, when: string): Promise<void> {
    if (this.#death?.call !== number || this.#death.when !== when) return
    this.shut('for ever')
    this.#death.tell()
    await this.pass()
  }

  shut(how?: 'for ever'): void {
    this.#closed = new Promise((resolve) => {
      if (how === undefined) this.#open = resolve
    })
  }

  open(): void {
    this.#closed = undefined
    this.#open?.()
  }

  async pass(): Promise<void> {
    await this.#closed
  }
}

/** The same object, every call of its methods (and of its parts') through the gate, before and after. */
function gated<T extends object>(target: T, gate: Gate): T {
  return new Proxy(target, {
    get(object, key) {
      const value = Reflect.get(object, key, object) as unknown
      if (typeof value === 'function') {
        const method = value as (...args: unknown[]) => unknown
        const plain = key === 'onWrite' || key === 'logs' || key === 'remainingMs'
        if (plain) return method.bind(object)
        return async (...args: unknown[]) => {
          await gate.pass()
          const call = () => method.apply(object, args)
          const result = await (EFFECTS.has(key) ? gate.effect(call) : call())
          await gate.pass()
          return result
        }
      }
      const part = typeof value === 'object' && value !== null && typeof key === 'string'
      return part && ['tasks', 'events', 'leadership'].includes(key) ? gated(value, gate) : value
    },
  })
}
