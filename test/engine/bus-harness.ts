import type { BusInstance } from '@node-ts/bus-core'
import { EmbeddedTransport } from '../../adapters/transport/embedded/transport.ts'
import { beginAttempt, exitRecorded, seenAlive } from '../../src/core/attempts.ts'
import type { ObservedExit } from '../../src/core/exit.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { currentAttempt, type TaskRecord } from '../../src/core/task.ts'
import { Bell } from '../../src/engine/bell.ts'
import { createBus, OWN_NAMES } from '../../src/engine/bus.ts'
import { createCommands } from '../../src/engine/commands.ts'
import { createControl } from '../../src/engine/control.ts'
import { createDecider } from '../../src/engine/decider.ts'
import { createDefinitions } from '../../src/engine/definitions.ts'
import { createIntake } from '../../src/engine/intake.ts'
import { runPublisher } from '../../src/engine/publisher.ts'
import type { LoadedTaskType } from '../../src/engine/task-types.ts'
import { createTransitions } from '../../src/engine/transitions.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Meter } from '../../src/ports/meter.ts'
import type { Store } from '../../src/ports/store.ts'
import type { TaskStore } from '../../src/ports/task-store.ts'
import { fixedTypes } from '../support/simulation.ts'
import { found, ManualClock, openMemoryStore, until } from '../support/store.ts'

/** Keeps every line whole, as somebody would read it. */
export class LineLogger implements Logger {
  readonly lines: string[] = []
  readonly #add = (event: string, fields?: object): void => {
    this.lines.push(`${event} ${JSON.stringify(fields ?? {})}`)
  }
  readonly debug = this.#add
  readonly info = this.#add
  readonly warn = this.#add
  readonly error = this.#add
}

const ignore = (): void => undefined

/** Counts what became of messages. */
class MessageMeter implements Meter {
  readonly outcomes = { handled: 0, retried: 0, 'dead-lettered': 0 }
  readonly attemptEnded = ignore
  readonly taskEnded = ignore
  readonly exitPublished = ignore
  readonly orphans = ignore
  readonly lateCopy = ignore
  readonly listed = ignore
  readonly watching = ignore
  readonly leading = ignore
  message(outcome: 'handled' | 'retried' | 'dead-lettered'): void {
    this.outcomes[outcome] += 1
  }
}

/** The engine's bus and publisher over the embedded transport and a store in memory. */
export class BusHarness implements AsyncDisposable {
  readonly clock: ManualClock
  readonly store: Store
  readonly logger = new LineLogger()
  readonly meter = new MessageMeter()
  readonly transport: EmbeddedTransport
  types: LoadedTaskType[]
  /** Put before every call of the tasks' store by a handler: it may throw. */
  fault: (method: string) => void = () => undefined
  bus!: BusInstance
  readonly #ended = new AbortController()
  #publisher: Promise<void> = Promise.resolve()
  #count = 0

  private constructor(store: Store, clock: ManualClock, types: LoadedTaskType[]) {
    this.store = store
    this.clock = clock
    this.types = types
    this.transport = new EmbeddedTransport({ store, clock, logger: this.logger })
  }

  static async open(...types: LoadedTaskType[]): Promise<BusHarness> {
    const clock = new ManualClock()
    const harness = new BusHarness(await openMemoryStore(clock), clock, types)
    await harness.#start()
    return harness
  }

  async #start(): Promise<void> {
    const { store, clock, logger, meter, transport } = this
    const tasks = this.#faulty(store.tasks)
    const taskTypes = {
      all: () => this.types,
      byName: (name: string) => fixedTypes(...this.types).byName(name),
      byCommand: (name: string) => fixedTypes(...this.types).byCommand(name),
    }
    const common = { tasks, taskTypes, clock, logger, meter }
    const transitions = createTransitions(common)
    const definitions = createDefinitions(tasks, {}, logger)
    const decider = createDecider({ ...common, transitions, definitions, random: () => 0 })
    const commands = createCommands({
      ...common,
      intake: createIntake({ ...common, inputLimitBytes: 65_536 }),
      control: createControl({ ...common, transitions, definitions }),
    })
    const bell = new Bell()
    const unlisten = store.onWrite('events', bell.ring)
    const { signal } = this.#ended
    this.#publisher = runPublisher({ ...common, events: store.events, transport, bell, signal })
    this.#publisher = this.#publisher.finally(unlisten)
    this.bus = await createBus({ ...common, transport, commands, decider })
    await this.subscribe()
    await this.bus.start()
  }

  /** As after a reload of the task types. */
  subscribe(): Promise<void> {
    const own = this.types.flatMap(({ type }) => type.command ?? [])
    return this.transport.subscribe([...OWN_NAMES, ...own])
  }

  #faulty(tasks: TaskStore): TaskStore {
    return new Proxy(tasks, {
      get: (target, name: keyof TaskStore) => {
        const method = target[name].bind(target) as (...args: unknown[]) => Promise<unknown>
        return async (...args: unknown[]) => {
          this.fault(name)
          return method(...args)
        }
      },
    })
  }

  /** Puts a message on the bus, as some application would. */
  async post(name: string, body: JsonObject, id?: string): Promise<void> {
    this.#count += 1
    await this.transport.post(
      id ?? `message-${this.#count}`,
      { $name: name, $version: 1, ...body },
      { attributes: {}, stickyAttributes: {} },
    )
  }

  /** Posts it and waits until it has been handled. */
  async handled(name: string, body: JsonObject, id?: string): Promise<void> {
    const { outcomes } = this.meter
    const before = outcomes.handled
    await this.post(name, body, id)
    await until(() => outcomes.handled > before, `${name} is handled`)
  }

  find(taskId: string): Promise<TaskRecord> {
    return found(this.store, taskId)
  }

  /** Takes a queued task to a running attempt. */
  async run(taskId: string): Promise<void> {
    const { type } = this.types[0]!
    const { tasks } = this.store
    const now = this.clock.now()
    const record = await this.find(taskId)
    await tasks.apply(beginAttempt(record, type, `unit-${record.task.attempt + 1}`, now))
    const begun = await this.find(taskId)
    await tasks.apply(seenAlive(begun, currentAttempt(begun)!, type, 'running', 'n', now)!)
  }

  /** Records the exit of the running attempt: its event goes the engine's own way. */
  async exit(taskId: string, exit: ObservedExit): Promise<void> {
    const { type } = this.types[0]!
    const record = await this.find(taskId)
    await this.store.tasks.apply(
      exitRecorded(record, currentAttempt(record)!, type, exit, this.clock.now()),
    )
  }

  async messagesLeft(): Promise<number> {
    const left = await this.store.messages.claim(100, 1)
    for (const { key } of left) await this.store.messages.giveBack(key)
    return left.length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort()
    await this.#publisher
    await this.bus.dispose()
    await this.store[Symbol.asyncDispose]()
  }
}
