import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { EXIT_REASONS } from '../core/exit.ts'
import { Unavailable } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Meter } from '../ports/meter.ts'
import type { StoreFigures, TaskStore } from '../ports/task-store.ts'

/** What the daemon counts, and how it is read by Prometheus. */
export interface Metrics extends Meter {
  /** All metrics as text of the type `METRICS_TYPE`. Where the store does not answer, without what is read there. */
  expose(): Promise<string>
}

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

/** Every metric of ours, its labels in brackets, and what it means. */
export const METRICS = {
  longhaul_tasks: 'Live tasks [type, state].',
  longhaul_oldest_queued_age_seconds: 'How long the oldest task that may start has waited [type].',
  longhaul_stuck_tasks: 'Tasks that the daemon cannot go on with by itself.',
  longhaul_unreleased_units: 'Units of attempts that are over, not yet removed.',
  longhaul_oldest_unreleased_unit_age_seconds: 'How long ago the oldest of those ended.',
  longhaul_outbox_events: 'Events that the bus has not confirmed yet.',
  longhaul_oldest_outbox_event_age_seconds: 'How long the oldest of those has waited.',
  longhaul_store_up: '1 where the store answered this scrape: without it the above are missing.',
  longhaul_attempts_total: 'Attempts that have ended [reason].',
  longhaul_tasks_ended_total: 'Runs that have ended [type, state].',
  longhaul_exit_to_event_seconds: 'From the recording of an exit to its published event.',
  longhaul_orphan_units:
    'Units of this installation that the store does not know, at the latest list.',
  longhaul_late_copies_total:
    'Attempts of which a copy was seen running: they were over already, or ran as well.',
  longhaul_list_seconds: "How long the scheduler's lists have taken.",
  longhaul_watcher_connected: "1 while the scheduler's stream is open here.",
  longhaul_leader: '1 while this replica leads.',
  longhaul_messages_total: 'Messages, by what became of them [outcome].',
} as const satisfies Record<`longhaul_${string}`, string>

const OUTCOMES = ['handled', 'retried', 'dead-lettered'] as const

/** Counts from zero, in a registry of its own. The store's figures are read at every scrape. */
export function createMetrics({
  tasks,
  clock,
}: {
  readonly tasks: Pick<TaskStore, 'figures'>
  readonly clock: Pick<Clock, 'now'>
}): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const described = (name: keyof typeof METRICS) => ({ name, help: METRICS[name], registers })
  const gauge = (name: keyof typeof METRICS) => new Gauge(described(name))

  const figures = figureGauges(registers)
  const storeUp = gauge('longhaul_store_up')
  const attempts = new Counter({ ...described('longhaul_attempts_total'), labelNames: ['reason'] })
  const ended = new Counter({
    ...described('longhaul_tasks_ended_total'),
    labelNames: ['type', 'state'],
  })
  const exitToEvent = new Histogram({
    ...described('longhaul_exit_to_event_seconds'),
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
  })
  const orphans = gauge('longhaul_orphan_units')
  const lateCopies = new Counter(described('longhaul_late_copies_total'))
  const lists = new Histogram({
    ...described('longhaul_list_seconds'),
    buckets: [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  })
  const watching = gauge('longhaul_watcher_connected')
  const leading = gauge('longhaul_leader')
  const messages = new Counter({ ...described('longhaul_messages_total'), labelNames: ['outcome'] })
  // From the start, so that the first of a kind is seen as a rise.
  for (const reason of EXIT_REASONS) attempts.inc({ reason }, 0)
  for (const outcome of OUTCOMES) messages.inc({ outcome }, 0)
  collectDefaultMetrics({ register: registry })

  return {
    attemptEnded(reason) {
      attempts.inc({ reason })
    },
    taskEnded(type, state) {
      ended.inc({ type, state })
    },
    exitPublished(seconds) {
      exitToEvent.observe(seconds)
    },
    orphans(count) {
      orphans.set(count)
    },
    lateCopy() {
      lateCopies.inc()
    },
    listed(seconds) {
      lists.observe(seconds)
    },
    watching(connected) {
      watching.set(connected ? 1 : 0)
    },
    leading(leads) {
      leading.set(leads ? 1 : 0)
    },
    message(outcome) {
      messages.inc({ outcome })
    },
    async expose() {
      const now = clock.now()
      const read = await readFigures(tasks, now)
      // From here to the text nothing waits for anything but the gauges' own getters.
      storeUp.set(read === undefined ? 0 : 1)
      figures.show(read, now)
      return registry.metrics()
    },
  }
}

/** Undefined: the store does not answer. That is a metric, and no reason to lose the others. */
async function readFigures(
  tasks: Pick<TaskStore, 'figures'>,
  now: Date,
): Promise<StoreFigures | undefined> {
  try {
    return await tasks.figures(now)
  } catch (error) {
    if (error instanceof Unavailable) return undefined
    throw error
  }
}

function figureGauges(registers: Registry[]): {
  show(figures: StoreFigures | undefined, now: Date): void
} {
  const gauge = <Label extends string>(name: keyof typeof METRICS, labelNames: Label[] = []) =>
    new Gauge({ name, help: METRICS[name], labelNames, registers })
  const tasks = gauge('longhaul_tasks', ['type', 'state'])
  const oldestQueued = gauge('longhaul_oldest_queued_age_seconds', ['type'])
  const stuck = gauge('longhaul_stuck_tasks')
  const units = gauge('longhaul_unreleased_units')
  const oldestUnit = gauge('longhaul_oldest_unreleased_unit_age_seconds')
  const outbox = gauge('longhaul_outbox_events')
  const oldestEvent = gauge('longhaul_oldest_outbox_event_age_seconds')
  const single = [stuck, units, oldestUnit, outbox, oldestEvent]

  return {
    show(figures, now) {
      const age = (then: Date | undefined) =>
        then === undefined ? 0 : Math.max(0, (now.getTime() - then.getTime()) / 1000)
      // A series that is not set again is not shown: a type whose queue has emptied disappears.
      tasks.reset()
      oldestQueued.reset()
      if (figures === undefined) {
        for (const one of single) one.remove()
        return
      }
      for (const { type, state, count } of figures.tasks) tasks.set({ type, state }, count)
      for (const { type, dueAt } of figures.oldestQueued) oldestQueued.set({ type }, age(dueAt))
      stuck.set(figures.stuck)
      units.set(figures.unreleasedUnits.count)
      oldestUnit.set(age(figures.unreleasedUnits.oldest))
      outbox.set(figures.outbox.count)
      oldestEvent.set(age(figures.outbox.oldest))
    },
  }
}
