import { Rejected } from '../../../src/core/errors.ts'
import type { Definition } from '../../../src/core/task-type.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { TaskStore } from '../../../src/ports/task-store.ts'
import { acceptTask } from './changes.ts'
import type { Driver } from './driver.ts'

/** Definitions of which a process remembers that they are in the store. */
const MOST_DEFINITIONS = 1000

/** Accepts tasks, with fewer statements where their definition has been written before. */
export function createAccept(driver: Driver, clock: Clock): TaskStore['accept'] {
  const defined = new Set<string>()
  return async (task, definition, events) => {
    const accept = (missing: Definition | undefined) =>
      driver.write(() => acceptTask(task, missing, events, clock.now()), {
        topics: ['queue', 'tasks', 'events'],
      })
    const { hash } = definition
    if (task.definition === hash && defined.has(hash)) {
      try {
        return await accept(undefined)
      } catch (error) {
        // Purged with its last task, by whoever leads.
        if (!(error instanceof Rejected)) throw error
        defined.delete(hash)
      }
    }
    const answer = await accept(definition)
    if (answer.accepted && defined.size < MOST_DEFINITIONS) defined.add(hash)
    return answer
  }
}
