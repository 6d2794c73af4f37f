import { compileTaskType } from '../core/compose/compile.ts'
import { Rejected } from '../core/errors.ts'
import type { Policy } from '../core/dues.ts'
import type { TaskType } from '../core/task-type.ts'
import type { TaskStore } from '../ports/task-store.ts'

/** The definitions that tasks were accepted under, with this process's variables filled in. */
export interface Definitions {
  /** Throws `Rejected` where a variable is missing or it cannot be read any more. */
  type(hash: string): Promise<TaskType>
  /** What the reconciler needs of it. */
  policy(hash: string): Promise<Policy>
}

/** Compiled definitions kept at hand; more are compiled again. */
const KEPT = 500

export function createDefinitions(
  tasks: TaskStore,
  environment: Readonly<Record<string, string | undefined>>,
): Definitions {
  const compiled = new Map<string, TaskType>()

  async function type(hash: string): Promise<TaskType> {
    const known = compiled.get(hash)
    if (known) return known
    const definition = await tasks.definition(hash)
    if (definition === undefined) {
      throw new Rejected('definition', `the definition ${hash} is not in the store`)
    }
    const made = compileTaskType(definition, environment)
    const oldest = compiled.size >= KEPT ? compiled.keys().next().value : undefined
    if (oldest !== undefined) compiled.delete(oldest)
    compiled.set(hash, made)
    return made
  }

  return { type, policy: type }
}
