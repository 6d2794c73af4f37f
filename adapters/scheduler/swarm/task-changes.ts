import { Unavailable, errorMessage } from '../../../src/core/errors.ts'
import type { EngineApi } from './engine-api.ts'
import { TaskPolls } from './task-polls.ts'
import type { TaskView } from './views.ts'
import { Wake } from '../wake.ts'

export interface TaskChange {
  readonly tasks: readonly TaskView[]
  /** The state of a node is another, and so is what it says of these tasks. */
  readonly nodesMoved: boolean
}

/**
 * Where changes of tasks come from. Resolves once subscribed: what changes afterwards is told, in
 * batches. Ends when the signal is aborted, throws `Unavailable` when the source has ended.
 */
export type TaskChanges = (signal: AbortSignal) => Promise<AsyncIterable<TaskChange>>

const POLL_MS = 1_000
/** An event tells of a container some time before the manager knows of the task. */
const AFTER_EVENT_MS = [60, 100, 150, 300]
/** However many events there are, polls take at most one part in so many of the time, or come each second. */
const POLL_SHARE = 10

/**
 * Changes by listing: every second, and as soon as the engine's events hint at one. Its events never
 * tell of tasks; they tell of services and nodes everywhere, and of containers on its own node.
 */
export function polledChanges(engine: EngineApi, installation: string): TaskChanges {
  return async (signal) => {
    const ended = new AbortController()
    const until = AbortSignal.any([signal, ended.signal])
    try {
      const events = await engine.stream('/events', until, { filters: JSON.stringify(EVENTS) })
      if (events === undefined) throw new Unavailable('engine', 'GET /events: 404')
      const polls = new TaskPolls(engine, installation)
      await polls.changed(until)
      return changesOf(polls, events, until, ended)
    } catch (error) {
      ended.abort()
      throw error
    }
  }
}

/** Not what is created: all that it brings is looks while a container is being made, on the same cores. */
const EVENTS = {
  type: ['service', 'node', 'container'],
  event: ['remove', 'update', 'start', 'die', 'health_status'],
}

function changesOf(
  polls: TaskPolls,
  events: AsyncIterable<Buffer>,
  signal: AbortSignal,
  ended: AbortController,
): AsyncIterable<TaskChange> {
  const wake = new Wake()
  let failure: Unavailable | undefined
  const listening = (async () => {
    try {
      for await (const _chunk of events) wake.raise()
      failure = new Unavailable('watch', 'the stream of events has ended')
    } catch (error) {
      failure = new Unavailable('watch', errorMessage(error), error)
    }
    wake.raise()
  })()
  return drain()

  async function* drain(): AsyncGenerator<TaskChange, void, undefined> {
    let soon: readonly number[] = []
    let restMs = 0
    try {
      for (;;) {
        const [nextMs = POLL_MS, ...later] = soon
        const woken = await wake.wait(signal, Math.max(nextMs, restMs))
        if (signal.aborted) return
        if (failure !== undefined) throw failure
        soon = woken ? AFTER_EVENT_MS : later
        // Events come in flocks; the rest of this one is in the look after the pause.
        if (woken && restMs > 0) await new Wake().wait(signal, restMs)
        const begun = performance.now()
        const changed = await polls.changed(signal)
        restMs = Math.min(POLL_MS, (performance.now() - begun) * POLL_SHARE)
        if (changed.length > 0) yield { tasks: changed, nodesMoved: false }
      }
    } catch (error) {
      if (signal.aborted) return
      throw error
    } finally {
      ended.abort()
      await listening
    }
  }
}
