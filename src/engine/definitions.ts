import { compileTaskType } from '../core/compose/compile.ts'
import { Rejected } from '../core/errors.ts'
import { FALLBACK_POLICY, type Policy } from '../core/dues.ts'
import type { TaskType } from '../core/task-type.ts'
import type { Logger } from '../ports/logger.ts'
import type { TaskStore } from '../ports/task-store.ts'

/** The definitions that tasks were accepted under, with this process's variables filled in. */
export interface Definitions {
  /** Throws `Rejected` where a variable is missing or it cannot be read any more. */
  type(hash: string): Promise<TaskType>
  /** What the reconciler needs of it; where it cannot be read, what keeps the task moving. */
  policy(hash: string): Promise<Policy>
  /** The limit on how many of a concurrency group may be in flight, if it has one. */
  limit(hash: string): Promise<number | undefined>
}

/** Compiled definitions kept at hand; more are compiled again. */
const KEPT = 500

export function createDefinitions(
  tasks: Pick<TaskStore, 'definition'>,
  environment: Readonly<Record<string, string | undefined>>,
  logger: Logger,
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

  /** The type, or undefined (and a line in the log) where it cannot be read any more. */
  async function readable(hash: string): Promise<TaskType | undefined> {
    try {
      return await type(hash)
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      logger.error('definition.unreadable', { hash, error: error.message })
      return undefined
    }
  }

  /** What can be read of it with the missing variables empty: names and times seldom hold any. */
  async function guess(hash: string): Promise<Policy> {
    const definition = await tasks.definition(hash)
    if (definition === undefined) return FALLBACK_POLICY
    const filled = new Proxy(environment, {
      get: (variables, name) => (typeof name === 'string' ? (variables[name] ?? '') : undefined),
    })
    try {
      return compileTaskType(definition, filled)
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      return FALLBACK_POLICY
    }
  }

  return {
    type,
    policy: async (hash) => (await readable(hash)) ?? (await guess(hash)),
    limit: async (hash) => (await readable(hash))?.concurrency?.limit,
  }
}
