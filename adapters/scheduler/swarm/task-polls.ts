import type { EngineApi } from './engine-api.ts'
import { LABEL } from './labels.ts'
import { isOver } from './task-exit.ts'
import type { TaskView } from './views.ts'

/** Beyond so many that have gone from the list at once, one list of them is less than asking for each. */
const MOST_SINGLY = 20
/** A list of all that is over takes at most one part in so many of the time. */
const SWEEP_SHARE = 50
const SWEEP_APART_MS = 1_000

/**
 * The tasks that have changed since the last look, with what is needed to tell: each time the list of
 * those that are to run, and singly what has gone from it. What is over and kept is listed seldom, the
 * more of it the more so: a list holds every task's whole spec. It finds what began and ended between
 * two looks.
 */
export class TaskPolls {
  readonly #engine: EngineApi
  readonly #installation: string
  /** What was last seen of each task; whole where it was not over. */
  #seen = new Map<string, { readonly print: string; readonly live?: TaskView }>()
  #sweepAt = 0

  constructor(engine: EngineApi, installation: string) {
    this.#engine = engine
    this.#installation = installation
  }

  /** Every task that is not as it was the last time; the first time, all. */
  async changed(signal: AbortSignal): Promise<readonly TaskView[]> {
    const running = await this.#list(['running'], signal)
    const listed = new Set(running.map(({ ID }) => ID))
    const away = [...this.#seen].flatMap(([id, { live }]) =>
      live === undefined || listed.has(id) ? [] : [live],
    )
    // What was to end before, and has not, stays so for as long as its node is down: that is no news.
    const news = away.filter(({ DesiredState }) => DesiredState === 'running')
    const ending = away.filter(({ DesiredState }) => DesiredState !== 'running')
    const sweep = news.length > MOST_SINGLY || performance.now() >= this.#sweepAt
    const gone = sweep ? away : [...news, ...ending.slice(0, MOST_SINGLY - news.length)]
    const others = sweep ? await this.#sweep(signal) : await this.#each(gone, signal)
    const before = this.#seen
    const seen = new Map(sweep ? [] : before)
    for (const { ID } of gone) seen.delete(ID)
    const changed: TaskView[] = []
    // One that ended between the two lists stands in both, as it was and as it is.
    for (const task of new Map([...running, ...others].map((one) => [one.ID, one])).values()) {
      const print = JSON.stringify([task.Status, task.DesiredState, task.NodeID])
      seen.set(task.ID, { print, ...(!isOver(task) && { live: task }) })
      if (before.get(task.ID)?.print !== print) changed.push(task)
    }
    const removed = await this.#removed(
      gone.filter(({ ID }) => !seen.has(ID)),
      signal,
    )
    this.#seen = seen
    return [...changed, ...removed]
  }

  async #sweep(signal: AbortSignal): Promise<readonly TaskView[]> {
    const begun = performance.now()
    const tasks = await this.#list(['shutdown', 'remove', 'complete'], signal)
    const took = performance.now() - begun
    this.#sweepAt = begun + Math.max(SWEEP_APART_MS, took * SWEEP_SHARE)
    return tasks
  }

  async #each(tasks: readonly TaskView[], signal: AbortSignal): Promise<readonly TaskView[]> {
    const found = await Promise.all(
      tasks.map(({ ID }) => this.#engine.find<TaskView>(`/tasks/${ID}`, signal)),
    )
    return found.filter((task) => task !== undefined)
  }

  /**
   * Of tasks that are gone, those whose service was removed. How they ended was to be seen for a fifth of
   * a second only. Where the service is still there, plain absence is left to the lists.
   */
  async #removed(tasks: readonly TaskView[], signal: AbortSignal): Promise<readonly TaskView[]> {
    const found = await Promise.all(
      tasks.map(async (task) => {
        const { ServiceID, DesiredState } = task
        if (DesiredState !== 'remove') {
          if ((await this.#engine.find(`/services/${ServiceID}`, signal)) !== undefined) return []
        }
        return [{ ...task, DesiredState: 'remove', Status: { State: 'remove' } }]
      }),
    )
    return found.flat()
  }

  async #list(desired: readonly string[], signal: AbortSignal): Promise<readonly TaskView[]> {
    const label = [`${LABEL.installation}=${this.#installation}`]
    return await this.#engine.read<readonly TaskView[]>('/tasks', signal, {
      filters: JSON.stringify({ label, 'desired-state': desired }),
    })
  }
}
