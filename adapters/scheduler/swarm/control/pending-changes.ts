import { isOver } from '../task-exit.ts'
import type { TaskView } from '../views.ts'
import type { WatchMessage } from './messages.ts'

/**
 * What has changed since it was last taken: each task as it is now. So whoever takes slowly holds nothing
 * up, and what is held is never more than there are tasks.
 */
export class PendingChanges {
  #tasks = new Map<string, TaskView>()
  #moved = new Set<string>()
  readonly #nodeStates = new Map<string, string>()

  add({ tasks, nodes }: WatchMessage): void {
    for (const { task, removed } of tasks) {
      // How it ended is what was heard first: the removal of a node wipes it out.
      const known = this.#tasks.get(task.ID)
      if (known !== undefined && isOver(known)) continue
      if (!removed) this.#tasks.set(task.ID, task)
      else if (isRemovedByHand(task)) this.#tasks.set(task.ID, asRemoved(task))
    }
    for (const { ID, Status } of nodes) {
      const state = Status?.State ?? ''
      if (this.#nodeStates.get(ID) !== state) this.#moved.add(ID)
      this.#nodeStates.set(ID, state)
    }
  }

  /** `moved`: the nodes whose state is another than it was, or was heard for the first time. */
  take(): { readonly tasks: readonly TaskView[]; readonly moved: readonly string[] } {
    const taken = { tasks: [...this.#tasks.values()], moved: [...this.#moved] }
    this.#tasks = new Map()
    this.#moved = new Set()
    return taken
  }
}

/**
 * What was over before it went has been told, or was in a list. What was not, and was not told to go
 * either, is plainly absent: that is left to the lists.
 */
function isRemovedByHand(task: TaskView): boolean {
  return !isOver(task) && task.DesiredState === 'remove'
}

function asRemoved(task: TaskView): TaskView {
  return { ...task, Status: { State: 'remove' } }
}
