import type { Unavailable } from '../../../../src/core/errors.ts'
import type { EngineApi } from '../engine-api.ts'
import { LABEL } from '../labels.ts'
import type { TaskChange, TaskChanges } from '../task-changes.ts'
import { isOver } from '../task-exit.ts'
import type { TaskView } from '../views.ts'
import { Wake } from '../../wake.ts'
import { openControlWatch } from './control-watch.ts'
import type { WatchMessage } from './messages.ts'
import { PendingChanges } from './pending-changes.ts'

const LONGEST_WAIT_MS = 60_000

/**
 * Changes as a manager's own store tells of them: every task's of every node, within the tenth of a second
 * in which the nodes' reports are gathered.
 */
export function controlChanges(path: string, engine: EngineApi, installation: string): TaskChanges {
  return async (signal) => {
    const pending = new PendingChanges()
    const wake = new Wake()
    const tell = (message: WatchMessage): void => {
      pending.add(message)
      wake.raise()
    }
    const watch = await openControlWatch({ path, installation, tell, signal })
    let failure: Unavailable | undefined
    void watch.ended.then((why) => {
      failure = why
      wake.raise()
    })
    return drain()

    async function* drain(): AsyncGenerator<TaskChange, void, undefined> {
      try {
        for (;;) {
          await wake.wait(signal, LONGEST_WAIT_MS)
          if (signal.aborted) return
          const { tasks, moved } = pending.take()
          if (moved.length > 0) {
            const there = await tasksOn(moved, engine, installation, signal)
            const all = new Map([...there, ...tasks].map((task) => [task.ID, task]))
            yield { tasks: [...all.values()], nodesMoved: true }
          } else if (tasks.length > 0) yield { tasks, nodesMoved: false }
          if (failure !== undefined) throw failure
        }
      } catch (error) {
        if (signal.aborted) return
        throw error
      } finally {
        watch.end()
        await watch.ended
      }
    }
  }
}

/** What is said of a unit goes by its node's state, too, of which its task's own state says nothing. */
async function tasksOn(
  nodes: readonly string[],
  engine: EngineApi,
  installation: string,
  signal: AbortSignal,
): Promise<readonly TaskView[]> {
  const label = [`${LABEL.installation}=${installation}`]
  const tasks = await engine.read<readonly TaskView[]>('/tasks', signal, {
    filters: JSON.stringify({ label, node: nodes }),
  })
  return tasks.filter((task) => !isOver(task))
}
