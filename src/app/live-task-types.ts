import { ConfigError, errorMessage } from '../core/errors.ts'
import type { LoadedTaskType, TaskTypes } from '../engine/task-types.ts'
import type { Logger } from '../ports/logger.ts'

export interface LiveTaskTypes extends TaskTypes {
  /** Reads the files again. What is bad keeps the last good ones, and is said loudly. */
  reload(): Promise<void>
  onChange(listener: () => void | Promise<void>): () => void
}

/** The task types as the files are, read once now: `ConfigError` where they are bad. */
export async function liveTaskTypes(
  load: () => Promise<readonly LoadedTaskType[]>,
  logger: Logger,
): Promise<LiveTaskTypes> {
  let present = index(await load())
  const listeners = new Set<() => void | Promise<void>>()
  let reloading = Promise.resolve()

  async function reloadOnce(): Promise<void> {
    let next: Index
    try {
      next = index(await load())
    } catch (error) {
      const issues = error instanceof ConfigError ? error.issues.length : 1
      const words = errorMessage(error)
      logger.error('task-types.kept', { issues, error: words, remedy: 'the last good files stay' })
      return
    }
    const changes = changesBetween(present, next)
    if (changes.length === 0) return
    present = next
    logger.info('task-types.changed', { changes })
    for (const listener of listeners) await listener()
  }

  return {
    byName: (name) => present.byName.get(name),
    byCommand: (name) => present.byCommand.get(name),
    all: () => present.all,
    reload() {
      reloading = reloading.then(reloadOnce).catch((error: unknown) => {
        logger.error('task-types.reload-failed', { error: errorMessage(error) })
      })
      return reloading
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

interface Index {
  readonly all: readonly LoadedTaskType[]
  readonly byName: ReadonlyMap<string, LoadedTaskType>
  readonly byCommand: ReadonlyMap<string, LoadedTaskType>
}

function index(all: readonly LoadedTaskType[]): Index {
  const byCommand = new Map<string, LoadedTaskType>()
  for (const loaded of all) if (loaded.type.command) byCommand.set(loaded.type.command, loaded)
  return { all, byName: new Map(all.map((loaded) => [loaded.type.name, loaded])), byCommand }
}

function changesBetween(before: Index, after: Index): string[] {
  const names = new Set([...before.byName.keys(), ...after.byName.keys()])
  return [...names].flatMap((name) => {
    const old = before.byName.get(name)
    const now = after.byName.get(name)
    if (old === undefined) return [`+${name}`]
    if (now === undefined) return [`-${name}`]
    return old.definition.hash === now.definition.hash ? [] : [`~${name}`]
  })
}
