import { errorMessage, LeaseLost } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Lease } from '../ports/leadership.ts'
import type { Logger } from '../ports/logger.ts'
import type { Meter } from '../ports/meter.ts'
import type { SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import type { Store } from '../ports/store.ts'
import { aborted } from './aborted.ts'
import { atHome } from './at-home.ts'
import { Bell, LONGEST_SLEEP_MS } from './bell.ts'
import type { Decider } from './decider.ts'
import type { Definitions } from './definitions.ts'
import { runDispatcher } from './dispatcher.ts'
import { createDrift, type Drift, type KnownDrift } from './drift.ts'
import { runHousekeeping } from './housekeeping.ts'
import { createReconciler } from './reconciler.ts'
import type { TaskTypes } from './task-types.ts'
import type { Transitions } from './transitions.ts'
import { runWatcher } from './watcher.ts'

export interface LeaderParts {
  readonly store: Store
  readonly transitions: Transitions
  readonly definitions: Definitions
  readonly decider: Decider
  readonly scheduler: SchedulerAdapter
  readonly taskTypes: TaskTypes
  /** Calls the listener when the task types have changed: limits may have. */
  onTaskTypes(listener: () => void): () => void
  readonly limitInFlight: number
  /** Units that are elsewhere are given up: by the first leadership that finds its place, and no later one. */
  readonly abandonUnits?: boolean
  /** Told why this leader can do nothing, where the units are elsewhere; `undefined` where that is over. */
  readonly onHome?: (refusal: string | undefined) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly meter: Meter
}

const RETRY_MS = 1_000
/** How long what is due waits for the scheduler's first list. */
const FIRST_LIST_MS = 10_000

/**
 * Waits for the lead, runs the loops while it has it, gives it up, and waits again, until the signal is
 * aborted. Whatever ends one loop ends them all: half a leader is none.
 */
export async function runLeader(parts: LeaderParts, signal: AbortSignal): Promise<void> {
  const { store, clock, logger, meter } = parts
  let abandonUnits = parts.abandonUnits ?? false
  const onHome = (refusal: string | undefined) => {
    if (refusal === undefined) abandonUnits = false
    parts.onHome?.(refusal)
  }
  let latest: { readonly epoch: number; readonly drift: KnownDrift } | undefined
  while (!signal.aborted) {
    try {
      await using lease = await store.leadership.acquire(signal)
      logger.info('lead.taken', { epoch: lease.epoch })
      meter.leading(true)
      // A jump of the clock ends a lease. Where nobody else has led since, what was due is still as it
      // was before the jump; where somebody has, it goes by that one's clock.
      const knownMs = latest?.epoch === lease.epoch - 1 ? latest.drift.knownMs : undefined
      const drift = createDrift({
        clock,
        logger,
        shift: (ms) => store.tasks.shiftDues(ms, lease),
        ...(knownMs !== undefined && { knownMs }),
      })
      latest = { epoch: lease.epoch, drift }
      await lead({ ...parts, abandonUnits, onHome }, lease, drift, signal)
    } catch (error) {
      if (aborted(signal)) break
      logger.warn('lead.lost', { error: errorMessage(error) })
    } finally {
      meter.leading(false)
      parts.onHome?.(undefined)
    }
    await clock.sleep(RETRY_MS, signal)
  }
}

async function lead(
  parts: LeaderParts & Pick<Required<LeaderParts>, 'abandonUnits' | 'onHome'>,
  lease: Lease,
  drift: Drift,
  stop: AbortSignal,
): Promise<void> {
  const { store, clock } = parts
  const failed = new AbortController()
  const signal = AbortSignal.any([stop, lease.lost, failed.signal])
  const bells = { queue: new Bell(), tasks: new Bell(), list: new Bell() }
  const unsubscribe = [
    store.onWrite('queue', bells.queue.ring),
    store.onWrite('tasks', bells.tasks.ring),
    parts.onTaskTypes(bells.queue.ring),
  ]
  const common = {
    ...parts,
    installation: store.installation,
    tasks: store.tasks,
    scheduler: atHome({ ...parts, tasks: store.tasks, lease, signal }),
    lease,
    drift,
    signal,
  }
  const reconciler = createReconciler({ ...common, bell: bells.tasks, look: bells.list.ring })
  const listed = new AbortController()
  const onListed = () => {
    listed.abort()
  }
  // Nothing is started before the first list has been handled: it may show that a store restored from
  // a backup is behind the scheduler. What needs no scheduler waits for it only so long.
  const whenListed = (limitMs: number) => until(clock, listed.signal, signal, limitMs)
  const loops = [
    whenListed(Infinity).then(() => runDispatcher({ ...common, reconciler, bell: bells.queue })),
    whenListed(FIRST_LIST_MS).then(() => reconciler.run()),
    runWatcher({ ...common, reconciler, onListed, bell: bells.list }),
    runHousekeeping({ ...common, events: store.events }),
  ]
  try {
    await Promise.all(loops)
  } finally {
    failed.abort()
    await Promise.allSettled(loops)
    for (const end of unsubscribe) end()
  }
  if (lease.lost.aborted) throw new LeaseLost()
}

/** Resolves when `wanted` is aborted, the signal is, or the time is over. */
async function until(
  clock: Clock,
  wanted: AbortSignal,
  signal: AbortSignal,
  limitMs: number,
): Promise<void> {
  const either = AbortSignal.any([wanted, signal])
  for (let leftMs = limitMs; leftMs > 0 && !either.aborted; leftMs -= LONGEST_SLEEP_MS) {
    await clock.sleep(Math.min(leftMs, LONGEST_SLEEP_MS), either)
  }
}
