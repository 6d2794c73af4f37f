import { errorMessage, LeaseLost } from '../core/errors.ts'
import type { Observation } from '../core/unit.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Meter } from '../ports/meter.ts'
import type { SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import type { TaskStore } from '../ports/task-store.ts'
import { aborted } from './aborted.ts'
import type { Bell } from './bell.ts'
import { LONGEST_SLEEP_MS } from './bell.ts'
import type { Reconciler } from './reconciler.ts'

const LIST_TIMEOUT_MS = 30_000
/** Lists asked for in a row are at least so far apart. */
const LIST_APART_MS = 1_000
const LONGEST_PAUSE_MS = 30_000
/** Observations being handled at a time; the stream waits beyond. */
const MOST_AT_A_TIME = 500

/**
 * The scheduler's stream and lists become sightings. Subscribe, then list, then consume; list again on
 * every reconnect, on a slow tick and when asked to: streams are hints, lists are truth. The one
 * reconnect policy is here.
 */
export async function runWatcher(deps: {
  readonly installation: string
  readonly scheduler: SchedulerAdapter
  readonly tasks: TaskStore
  readonly reconciler: Pick<Reconciler, 'see' | 'callAgain'>
  /** Called whenever a list has been handled. */
  readonly onListed: () => void
  /** Rung to have a list read soon. */
  readonly bell: Bell
  readonly clock: Clock
  readonly logger: Logger
  readonly meter: Meter
  readonly signal: AbortSignal
}): Promise<void> {
  const { installation, scheduler, tasks, reconciler, onListed, bell } = deps
  const { clock, logger, meter, signal } = deps
  /** What the latest list showed of each unit and was handled: the same again says nothing new. */
  let handled = new Map<string, string>()
  /** What the stream has spoken of since the latest list began: the next list is news again. */
  let touched = new Set<string>()
  const orphans = new Set<string>()
  /** Units that the scheduler has run a second time. */
  const copied = new Set<string>()

  /** False where something of it could not be handled. */
  async function list(): Promise<boolean> {
    touched = new Set()
    const listedAt = clock.now()
    const begun = clock.monotonicMs()
    const limited = AbortSignal.any([signal, AbortSignal.timeout(LIST_TIMEOUT_MS)])
    const observations = await scheduler.list(limited)
    meter.listed((clock.monotonicMs() - begun) / 1000)
    const live = new Map((await tasks.liveUnits()).map(({ unit, taskId }) => [unit, taskId]))
    const seen = new Map<string, string>()
    const work: Promise<boolean>[] = []
    for (const observation of observations) {
      const { unit, phase } = observation
      const print = JSON.stringify(observation)
      const alive = phase === 'pending' || phase === 'running'
      // An end that the store does not know yet, and a life that it takes for over, are never old news, and
      // neither is that something still waits: its time may be over.
      if (phase !== 'pending' && handled.get(unit) === print && live.has(unit) === alive) {
        seen.set(unit, print)
      } else {
        const handle = async () => {
          const done = await see(observation, listedAt)
          if (done) seen.set(unit, print)
          return done
        }
        work.push(handle())
      }
      live.delete(unit)
    }
    for (const [unit, taskId] of live) {
      const absence = { phase: 'absent', listedAt } as const
      work.push(reconciler.see(taskId, { unit, absence }).then(() => true))
    }
    const shown = new Set(observations.map(({ unit }) => unit))
    for (const unit of orphans) if (!shown.has(unit)) orphans.delete(unit)
    for (const unit of copied) if (!shown.has(unit)) copied.delete(unit)
    const results = await Promise.allSettled(work)
    meter.orphans(orphans.size)
    for (const unit of touched) seen.delete(unit)
    handled = seen
    onListed()
    return results.every((result) => result.status === 'fulfilled' && result.value)
  }

  /** False where it could not be handled: it counts as new the next time. */
  async function see(observation: Observation, listedAt?: Date): Promise<boolean> {
    const { unit, identity, copy } = observation
    if (identity.installation !== installation) return true
    if (copy !== undefined && !copied.has(unit)) {
      copied.add(unit)
      meter.lateCopy()
      logger.warn('unit.copied', { unit, taskId: identity.taskId, why: copy })
    }
    try {
      const record = await tasks.find(identity.taskId)
      if (record?.task.uid !== identity.taskUid) {
        if (listedAt !== undefined) foundOrphan(unit, identity.taskId)
        return true
      }
      await reconciler.see(
        identity.taskId,
        listedAt === undefined ? { observation } : { observation, listedAt },
      )
      return true
    } catch (error) {
      if (!(error instanceof LeaseLost)) {
        logger.warn('observation.unhandled', { unit, error: errorMessage(error) })
      }
      return false
    }
  }

  /** Reported and counted; only an operator removes what may be somebody's work. */
  function foundOrphan(unit: string, taskId: string): void {
    if (orphans.has(unit)) return
    orphans.add(unit)
    logger.warn('unit.orphan', { unit, taskId, remedy: 'nothing here knows it: remove it by hand' })
  }

  async function consume(stream: AsyncIterable<Observation>): Promise<void> {
    const underWay = new Set<Promise<boolean>>()
    for await (const observation of stream) {
      touched.add(observation.unit)
      handled.delete(observation.unit)
      const work = see(observation).then((done) => {
        // The stream does not say it again: a list does.
        if (!done) bell.ring()
        return done
      })
      underWay.add(work)
      void work.finally(() => underWay.delete(work))
      if (underWay.size >= MOST_AT_A_TIME) await Promise.race(underWay)
    }
    await Promise.all(underWay)
  }

  /** Soon again where something could not be handled (the store is away): then no list is the last. */
  async function listRepeatedly(watching: AbortSignal, whole: boolean): Promise<void> {
    let failures = whole ? 0 : 1
    while (!watching.aborted) {
      const waitMs = failures === 0 ? LONGEST_SLEEP_MS : LIST_APART_MS * 2 ** Math.min(failures, 6)
      await bell.wait(clock, waitMs, watching)
      if (aborted(watching)) return
      failures = (await list()) ? 0 : failures + 1
      await clock.sleep(LIST_APART_MS, watching)
    }
  }

  /** Until the stream ends or something fails. */
  async function watch(): Promise<void> {
    const ended = new AbortController()
    const watching = AbortSignal.any([signal, ended.signal])
    try {
      const stream = await scheduler.watch(watching)
      const whole = await list()
      meter.watching(true)
      await reconciler.callAgain()
      const both = [consume(stream), listRepeatedly(watching, whole)]
      try {
        await Promise.race(both)
      } finally {
        ended.abort()
        await Promise.allSettled(both)
      }
    } finally {
      ended.abort()
      meter.watching(false)
    }
  }

  let failures = 0
  while (!signal.aborted) {
    const begun = clock.monotonicMs()
    let why = 'the stream has ended'
    try {
      await watch()
    } catch (error) {
      if (error instanceof LeaseLost) return
      why = errorMessage(error)
    }
    if (aborted(signal)) return
    failures = clock.monotonicMs() - begun > LONGEST_PAUSE_MS ? 1 : failures + 1
    const pauseMs = Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(failures, 10))
    logger.warn('watcher.reconnecting', { pauseMs, error: why })
    await clock.sleep(pauseMs, signal)
  }
}
