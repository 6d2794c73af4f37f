import assert from 'node:assert/strict'
import { settle } from '../../src/core/lifecycle.ts'
import { startConfirmed } from '../../src/core/attempt-calls.ts'
import { beginAttempt, exitRecorded } from '../../src/core/attempts.ts'
import type { Change } from '../../src/core/change.ts'
import type { Decision } from '../../src/core/decide.ts'
import { inputValidator } from '../../src/core/input-schema.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { currentAttempt, type TaskRecord } from '../../src/core/task.ts'
import { createCommands, type ReceivedCommand } from '../../src/engine/commands.ts'
import { createControl } from '../../src/engine/control.ts'
import { createDefinitions } from '../../src/engine/definitions.ts'
import { createIntake } from '../../src/engine/intake.ts'
import type { LoadedTaskType } from '../../src/engine/task-types.ts'
import { createTransitions } from '../../src/engine/transitions.ts'
import type { Store } from '../../src/ports/store.ts'
import { CountingMeter, fixedTypes, loadedType } from '../support/simulation.ts'
import { found, ManualClock, openMemoryStore, QuietLogger } from '../support/store.ts'

/** A type whose schema is really checked. */
export function checkedType(name: string, xTask: JsonObject): LoadedTaskType {
  const loaded = loadedType(name, xTask)
  return { ...loaded, validateInput: inputValidator(loaded.type.input) }
}

/** Bus commands handed straight to the engine's handler, over a store in memory. */
export class CommandHarness implements AsyncDisposable {
  readonly clock: ManualClock
  readonly store: Store
  /** Files that come and go. */
  types: readonly LoadedTaskType[]
  inputLimitBytes = 65_536
  #count = 0

  private constructor(store: Store, clock: ManualClock, types: readonly LoadedTaskType[]) {
    this.store = store
    this.clock = clock
    this.types = types
  }

  static async open(...types: LoadedTaskType[]): Promise<CommandHarness> {
    const clock = new ManualClock()
    return new CommandHarness(await openMemoryStore(clock), clock, types)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]()
  }

  async send(
    name: string,
    body: JsonObject,
    differs: Partial<ReceivedCommand> = {},
  ): Promise<void> {
    const { store, clock } = this
    const logger = new QuietLogger()
    const taskTypes = fixedTypes(...this.types)
    const { tasks } = store
    const common = { tasks, taskTypes, clock, logger }
    const transitions = createTransitions({ tasks, logger, meter: new CountingMeter() })
    const definitions = createDefinitions(tasks, {}, logger)
    const commands = createCommands({
      ...common,
      intake: createIntake({ ...common, inputLimitBytes: this.inputLimitBytes }),
      control: createControl({ ...common, transitions, definitions }),
    })
    this.#count += 1
    await commands.handle({
      name,
      body,
      messageId: `message-${this.#count}`,
      attributes: {},
      stickyAttributes: {},
      tries: 0,
      mostTries: 10,
      ...differs,
    })
  }

  /** Everything that was told, oldest first. */
  async told() {
    return (await this.store.events.read({ limit: 1000 })).events
  }

  /** What the command was told that was told last. */
  async lastMessage(): Promise<JsonObject> {
    const event = (await this.told()).at(-1)
    assert.ok(event, 'something was told')
    return event.message
  }

  /** Code and pointer of each error of the latest rejection. */
  async rejection(): Promise<readonly (readonly [code: string, pointer: string])[]> {
    const message = await this.lastMessage()
    assert.equal(message['$name'], 'longhaul/task-rejected')
    const errors = message['errors'] as unknown as { code: string; pointer: string }[]
    return errors.map(({ code, pointer }) => [code, pointer] as const)
  }

  async tasks(): Promise<readonly TaskRecord[]> {
    return (await this.store.tasks.list({ limit: 100 })).tasks
  }

  find(taskId: string): Promise<TaskRecord> {
    return found(this.store, taskId)
  }

  async apply(taskId: string, compute: (record: TaskRecord) => Change): Promise<void> {
    assert.equal(await this.store.tasks.apply(compute(await this.find(taskId))), 'applied')
  }

  /** Takes a queued task to an attempt that the scheduler holds. */
  async start(taskId: string): Promise<void> {
    const { type } = this.types[0]!
    await this.apply(taskId, (record) => beginAttempt(record, type, 'unit', this.clock.now()))
    await this.apply(taskId, (record) =>
      startConfirmed(record, currentAttempt(record)!, type, this.clock.now()),
    )
  }

  /** Takes a queued task to its end. */
  async end(taskId: string, decision: Decision): Promise<void> {
    const { type } = this.types[0]!
    const now = this.clock.now()
    await this.start(taskId)
    await this.apply(taskId, (record) =>
      exitRecorded(record, currentAttempt(record)!, type, { reason: 'failed', code: 3 }, now),
    )
    await this.apply(taskId, (record) =>
      settle(record, type, decision, currentAttempt(record)!.exit!, now),
    )
  }
}
