import { needsImages, schedulerKinds } from '../app/scheduler-kinds.ts'
import {
  type DaemonConfig,
  findDaemonConfig,
  loadDaemonConfig,
  toldByDaemonConfig,
} from '../config/daemon-config.ts'
import { loadTaskTypes, type TaskTypes } from '../config/task-types.ts'
import { ConfigError, type ConfigIssue } from '../core/errors.ts'
import type { FileArgs } from './file-options.ts'
import type { SchedulerKind } from '../ports/scheduler-adapter.ts'

export interface Definitions {
  /** The daemon's file. */
  readonly file: string
  readonly folder: string
  readonly config: DaemonConfig
  readonly scheduler: SchedulerKind
  readonly types: TaskTypes['types']
}

/** The files as a daemon would read them. Throws `ConfigError` naming every mistake of all of them. */
export async function loadDefinitions(
  args: FileArgs,
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<Definitions> {
  const file = findDaemonConfig(args.config, env, cwd)
  const issues: ConfigIssue[] = []
  const config = await collecting(issues, () => loadDaemonConfig(file))
  const told =
    config === undefined
      ? await toldByDaemonConfig(file)
      : { tasks: config.tasks, scheduler: config.scheduler.kind }
  const kind = args.scheduler ?? told.scheduler ?? 'process'
  const scheduler = schedulerKinds.get(kind)
  if (scheduler === undefined && (config !== undefined || args.scheduler !== undefined)) {
    const known = [...schedulerKinds.keys()].join(', ')
    const where = args.scheduler === undefined ? 'scheduler.kind' : '--scheduler'
    const message = `${where}: the scheduler ${kind} is not built into this release, which has: ${known}`
    issues.push({ file, message })
  }
  const { tasks } = told
  const imageRequired = needsImages(kind)
  const loaded =
    tasks === undefined
      ? undefined
      : await collecting(issues, () => loadTaskTypes(tasks, env, { imageRequired }))
  if (config === undefined || scheduler === undefined || loaded === undefined) {
    throw new ConfigError(issues)
  }
  return { file, folder: config.tasks, config, scheduler, types: loaded.types }
}

/** Undefined where it is all mistakes: these are among the issues then. */
async function collecting<T>(
  issues: ConfigIssue[],
  load: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    issues.push(...error.issues)
    return undefined
  }
}
