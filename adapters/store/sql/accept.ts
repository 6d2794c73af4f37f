import type { EventDraft } from '../../../src/core/change.ts'
import { Rejected } from '../../../src/core/errors.ts'
import type { Task } from '../../../src/core/task.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { TaskStore } from '../../../src/ports/task-store.ts'
import { type Acceptance, acceptDefined, acceptTask } from './changes.ts'
import type { Driver, WriteEffects } from './driver.ts'
import { gather } from './gather.ts'

/** Definitions of which a process remembers that they are in the store. */
const MOST_DEFINITIONS = 1000
const MOST_TOGETHER = 64

/**
 * Accepts tasks: many in one transaction where their definitions have been written before, for the
 * round trips and the commit are what costs. A transaction that is refused is made again for each
 * task by itself: a bad one spoils no other.
 */
export function createAccept(driver: Driver, clock: Clock): TaskStore['accept'] {
  const defined = new Set<string>()
  const together = gather<Wish, Acceptance | undefined>(MOST_TOGETHER, async (wishes) => {
    try {
      return await driver.write(() => acceptDefined(wishes, clock.now()), effectsOf(wishes))
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      return wishes.map(() => undefined)
    }
  })
  return async (task, definition, events) => {
    const { hash } = definition
    if (task.definition === hash && defined.has(hash)) {
      const answer = await together({ task, events })
      if (answer !== undefined) return answer
      // Perhaps it was purged with its last task, by whoever leads.
      defined.delete(hash)
    }
    const answer = await driver.write(
      () => acceptTask(task, definition, events, clock.now()),
      effectsOf([{ task }]),
    )
    if (answer.accepted && defined.size < MOST_DEFINITIONS) defined.add(hash)
    return answer
  }
}

interface Wish {
  readonly task: Task
  readonly events: readonly EventDraft[]
}

/** Until a task starts there is nothing to reconcile about it but its deadline. */
function effectsOf(wishes: readonly Pick<Wish, 'task'>[]): WriteEffects {
  const reconciled = wishes.some(({ task }) => task.deadlineAt !== undefined)
  return { topics: ['queue', ...(reconciled ? ['tasks' as const] : []), 'events'] }
}
