import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../adapters/store/sqlite/open.ts'
import type { Change, EventDraft } from '../../src/core/change.ts'
import type { Attempt, Task, TaskRecord } from '../../src/core/task.ts'
import type { Definition } from '../../src/core/task-type.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Store } from '../../src/ports/store.ts'

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #nowMs = Date.UTC(2030, 0, 1)
  #sleepers: { readonly untilMs: number; readonly wake: () => void }[] = []

  now(): Date {
    return new Date(this.#nowMs)
  }

  /** With a fraction, as a real one has. */
  monotonicMs(): number {
    return this.#nowMs + 0.375
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (ms <= 0 || signal?.aborted) {
        resolve()
        return
      }
      const sleeper = { untilMs: this.#nowMs + ms, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        resolve()
      })
    })
  }

  advance(ms: number): void {
    this.#nowMs += ms
    const due = this.#sleepers.filter(({ untilMs }) => untilMs <= this.#nowMs)
    this.#sleepers = this.#sleepers.filter(({ untilMs }) => untilMs > this.#nowMs)
    for (const { wake } of due) wake()
  }
}

/** Keeps the names of what was logged. */
export class QuietLogger implements Logger {
  readonly events: string[] = []
  debug(event: string): void {
    this.events.push(event)
  }
  info(event: string): void {
    this.events.push(event)
  }
  warn(event: string): void {
    this.events.push(event)
  }
  error(event: string): void {
    this.events.push(event)
  }
}

export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'longhaul-test-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

export function openMemoryStore(clock: Clock, logger: Logger = new QuietLogger()): Promise<Store> {
  return openSqliteStore({ file: ':memory:', clock, logger })
}

/** Resolves once the condition holds; rejects after the limit. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 5000,
): Promise<void> {
  const end = performance.now() + limitMs
  // What takes long is looked at less often: looking costs the very machine that is waited for.
  for (let pauseMs = 2; !(await condition()); pauseMs = Math.min(pauseMs * 1.1, 25)) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

export const DEFINITION: Definition = {
  name: 'encode',
  hash: 'hash-of-encode',
  directory: '/etc/longhaul/tasks',
  compose: { services: { encode: { image: 'encoder' } } },
}

/** A task as it is accepted: queued, due at once. */
export function newTask(clock: Clock, id: string, differs: Partial<Task> = {}): Task {
  const type = differs.type ?? 'encode'
  return {
    id: `${type}/${id}`,
    type,
    uid: `uid-${id}`,
    revision: 0,
    definition: DEFINITION.hash,
    state: 'queued',
    run: 1,
    input: { id },
    priority: 0,
    createdAt: clock.now(),
    acceptedBy: `message-${id}`,
    stickyAttributes: {},
    concurrencyKey: '',
    dueAt: clock.now(),
    attempt: 0,
    decideFailures: 0,
    ...differs,
  }
}

export function newAttempt(clock: Clock, number: number, differs: Partial<Attempt> = {}): Attempt {
  return {
    number,
    run: 1,
    unit: `lh-encode-${number}`,
    state: 'starting',
    createdAt: clock.now(),
    startCall: { begunAt: clock.now() },
    callFailures: 0,
    ...differs,
  }
}

export function newEvent(
  clock: Clock,
  eventId: string,
  differs: Partial<EventDraft> = {},
): EventDraft {
  return {
    eventId,
    name: 'longhaul/task-accepted',
    taskId: 'encode/1',
    taskType: 'encode',
    at: clock.now(),
    message: { $name: 'longhaul/task-accepted', $version: 1, eventId },
    attributes: {},
    stickyAttributes: {},
    ...differs,
  }
}

/** The record's next change: what is not said stays. */
export function changeOf(
  { task }: TaskRecord,
  differs: Partial<Task>,
  rest: Partial<Omit<Change, 'task' | 'taskId' | 'revision'>> = {},
): Change {
  const { revision, ...present } = task
  return {
    taskId: task.id,
    revision,
    task: { ...present, ...differs },
    attempts: [],
    events: [],
    ...rest,
  }
}

/** Accepts a task and takes it to its first attempt. */
export async function startedTask(
  store: Store,
  clock: Clock,
  id: string,
  differs: Partial<Task> = {},
  attempt: Partial<Attempt> = {},
): Promise<TaskRecord> {
  const { record } = await store.tasks.accept(newTask(clock, id, differs), DEFINITION, [])
  const change = changeOf(
    record,
    { state: attempt.state === 'exited' ? 'exited' : 'starting', attempt: 1 },
    { attempts: [newAttempt(clock, 1, { unit: `lh-${record.task.type}-${id}`, ...attempt })] },
  )
  await store.tasks.apply(change)
  return found(store, record.task.id)
}

export async function found(store: Store, taskId: string): Promise<TaskRecord> {
  const record = await store.tasks.find(taskId)
  if (!record) throw new Error(`${taskId} is not there`)
  return record
}
