import { beginAttempt } from '../core/attempts.ts'
import { errorMessage, LeaseLost } from '../core/errors.ts'
import type { TaskRecord } from '../core/task.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lease } from '../ports/leadership.ts'
import type { Logger } from '../ports/logger.ts'
import type { SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import type { Bounded, Group, TaskStore } from '../ports/task-store.ts'
import { aborted } from './aborted.ts'
import type { Bell } from './bell.ts'
import type { Definitions } from './definitions.ts'
import type { Drift } from './drift.ts'
import type { Reconciler } from './reconciler.ts'
import type { TaskTypes } from './task-types.ts'
import type { Transitions } from './transitions.ts'
import { unitName } from './unit-spec.ts'

const BATCH = 100

/**
 * Every start, the first and each retry, goes through here: what is queued and due, by rank, as far as
 * the limits allow. What is in flight is counted from its rows each time, never kept in a counter. The
 * limits are the present files'.
 */
export async function runDispatcher(deps: {
  readonly installation: string
  readonly tasks: TaskStore
  readonly transitions: Transitions
  readonly definitions: Definitions
  readonly taskTypes: TaskTypes
  readonly reconciler: Pick<Reconciler, 'start'>
  readonly scheduler: Pick<SchedulerAdapter, 'startSettlesMs'>
  readonly limitInFlight: number
  readonly lease: Lease
  readonly bell: Bell
  readonly drift: Drift
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}): Promise<void> {
  const { installation, tasks, transitions, definitions, taskTypes, reconciler } = deps
  const { scheduler, limitInFlight, lease, bell, drift, clock, logger, signal } = deps

  /** How many of a group may be in flight; the limit of a type that is gone is its last one's. */
  async function limitOf(group: GroupId, record?: TaskRecord): Promise<number> {
    const present = taskTypes.byName(group.type)
    if (present !== undefined) return present.type.concurrency?.limit ?? Number.POSITIVE_INFINITY
    if (record === undefined) return Number.POSITIVE_INFINITY
    return (await definitions.limit(record.task.definition)) ?? Number.POSITIVE_INFINITY
  }

  async function begin(record: TaskRecord): Promise<boolean> {
    const { task } = record
    const policy = await definitions.policy(task.definition)
    const unit = unitName(installation, task, task.attempt + 1)
    const change = beginAttempt(record, policy, unit, clock.now(), scheduler.startSettlesMs)
    if ((await transitions.apply(change, lease)) !== 'applied') return false
    reconciler.start(task.id)
    return true
  }

  /** Starts what may start; true where another pass may start more. */
  async function pass(now: Date, blocked: Map<string, GroupId>): Promise<boolean> {
    const counts = new Counts(await tasks.inFlight())
    const free = Math.min(BATCH, limitInFlight - counts.total)
    if (free <= 0) return false
    const bounded = new Map<string, Bounded>(blocked)
    for (const { type, key, count } of counts.groups()) {
      const room = (await limitOf({ type, key })) - count
      if (Number.isFinite(room)) bounded.set(keyOf({ type, key }), { type, key, room })
    }
    const records = await tasks.startable(now, [...bounded.values()], free)
    const begun: Promise<boolean>[] = []
    let newlyBlocked = false
    for (const record of records) {
      // Its deadline has passed: the reconciler ends it, and no attempt is spent on it.
      if (record.task.deadlineAt !== undefined && record.task.deadlineAt <= now) continue
      const group = { type: record.task.type, key: record.task.concurrencyKey }
      if (counts.of(group) >= (await limitOf(group, record))) {
        newlyBlocked ||= !blocked.has(keyOf(group))
        blocked.set(keyOf(group), group)
        continue
      }
      counts.add(group)
      begun.push(begin(record))
    }
    const started = (await Promise.all(begun)).some(Boolean)
    return started || newlyBlocked
  }

  while (!signal.aborted) {
    try {
      await drift.check()
      const blocked = new Map<string, GroupId>()
      // One time for what may start and for what comes next: between two, a start would be overlooked.
      const now = clock.now()
      while (!aborted(signal) && (await pass(now, blocked)));
      const next = await tasks.nextStart(now)
      const wait = next === undefined ? Infinity : next.getTime() - clock.now().getTime()
      await bell.wait(clock, Math.max(wait, 1), signal)
    } catch (error) {
      if (error instanceof LeaseLost) throw error
      logger.error('dispatcher.failed', { error: errorMessage(error) })
      await clock.sleep(1000, signal)
    }
  }
}

type GroupId = Pick<Group, 'type' | 'key'>

const keyOf = ({ type, key }: GroupId): string => `${type}\n${key}`

/** Attempts in flight by group, as counted from the rows, and what this pass adds. */
class Counts {
  readonly #groups = new Map<string, Group>()
  total = 0

  constructor(groups: readonly Group[]) {
    for (const group of groups) {
      this.#groups.set(keyOf(group), group)
      this.total += group.count
    }
  }

  groups(): readonly Group[] {
    return [...this.#groups.values()]
  }

  of(group: GroupId): number {
    return this.#groups.get(keyOf(group))?.count ?? 0
  }

  add(group: GroupId): void {
    this.#groups.set(keyOf(group), { ...group, count: this.of(group) + 1 })
    this.total += 1
  }
}
