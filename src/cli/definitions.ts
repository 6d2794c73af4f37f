import { schedulerKinds } from '../app/scheduler-kinds.ts'
import { findDaemonConfig, loadDaemonConfig } from '../config/daemon-config.ts'
import { loadTaskTypes, type TaskTypes } from '../config/task-types.ts'
import { ConfigError } from '../core/errors.ts'
import type { FileArgs } from './file-options.ts'
import type { SchedulerKind } from '../ports/scheduler-adapter.ts'

export interface Definitions {
  /** The daemon's file. */
  readonly file: string
  readonly folder: string
  readonly scheduler: SchedulerKind
  readonly types: TaskTypes['types']
}

/** The files as a daemon would read them. Throws `ConfigError` naming every mistake. */
export async function loadDefinitions(
  args: FileArgs,
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<Definitions> {
  const file = findDaemonConfig(args.config, env, cwd)
  const config = await loadDaemonConfig(file)
  const kind = args.scheduler ?? config.scheduler.kind
  const scheduler = schedulerKinds.get(kind)
  if (scheduler === undefined) {
    const known = [...schedulerKinds.keys()].join(', ')
    const where = args.scheduler === undefined ? 'scheduler.kind' : '--scheduler'
    const message = `${where}: the scheduler ${kind} is not built into this release, which has: ${known}`
    throw new ConfigError([{ file, message }])
  }
  const { types } = await loadTaskTypes(config.tasks, env, { imageRequired: kind !== 'process' })
  return { file, folder: config.tasks, scheduler, types }
}
