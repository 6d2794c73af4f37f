import { type DaemonConfig, loadDaemonConfig } from '../config/daemon-config.ts'
import { loadTaskTypes } from '../config/task-types.ts'
import { watchTaskTypes } from '../config/watch.ts'
import { ConfigError } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'
import type { SchedulerKind } from '../ports/scheduler-adapter.ts'
import type { DaemonParts } from './daemon.ts'
import { makeDataFolder } from './data-folder.ts'
import { liveTaskTypes } from './live-task-types.ts'
import { openScheduler } from './open-scheduler.ts'
import { openStore } from './open-store.ts'
import { openTransport } from './open-transport.ts'
import { readSecret } from './read-secret.ts'
import { needsImages, notBuilt, schedulerKinds } from './scheduler-kinds.ts'
import { systemClock } from './system-clock.ts'
import { whenAvailable } from './when-available.ts'

/**
 * Opens what the daemon's file names. Disposing of it closes everything again, in reverse order, also
 * where opening fails half way. `ConfigError` for a file that cannot be used; the signal's reason when it
 * is aborted while the database is waited for.
 */
export async function openParts(options: {
  readonly configFile: string
  readonly env: NodeJS.ProcessEnv
  readonly version: string
  readonly logger: Logger
  readonly abandonUnits?: boolean
  /** Ends the wait for a database that is not there. */
  readonly signal: AbortSignal
}): Promise<DaemonParts & AsyncDisposable> {
  const { configFile, env, version, logger, signal, abandonUnits = false } = options
  await using opened = new AsyncDisposableStack()
  const config = await loadDaemonConfig(configFile)
  const schedulerKind = schedulerKindOf(config)
  const imageRequired = needsImages(config.scheduler.kind)
  const load = async () => [
    ...(await loadTaskTypes(config.tasks, env, { imageRequired })).types.values(),
  ]
  const taskTypes = await liveTaskTypes(load, logger)
  const token = await readSecret(configFile, 'http.token_file', config.http.tokenFile)
  const clock = systemClock
  await makeDataFolder(config.data, configFile)
  const open = () => openStore(config, { clock, logger })
  // A file is there or is not, and one that another daemon holds is not to be waited for.
  const store = opened.use(
    config.store.kind === 'sqlite'
      ? await open()
      : await whenAvailable('store', open, { clock, logger, signal }),
  )
  const { scheduler, mayNotLead } = await openScheduler(config, store, opened, {
    env,
    logger,
  })
  const transport = await openTransport(config, store, opened, { clock, logger })
  opened.use(await watchTaskTypes(config.tasks, () => void taskTypes.reload(), logger))
  // What has changed since they were first read.
  await taskTypes.reload()
  const stack = opened.move()
  return {
    store,
    transport,
    scheduler,
    schedulerKind,
    ...(mayNotLead !== undefined && { mayNotLead }),
    abandonUnits,
    taskTypes,
    listen: config.http.listen,
    ...(token !== undefined && { token }),
    limits: { inFlight: config.limits.inFlight, inputBytes: config.limits.inputBytes },
    environment: env,
    clock,
    logger,
    random: Math.random,
    version,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** The scheduler's kind, where this release has it. */
function schedulerKindOf({ scheduler, file }: DaemonConfig): SchedulerKind {
  const kind = schedulerKinds.get(scheduler.kind)
  if (kind !== undefined) return kind
  throw new ConfigError([{ file, message: notBuilt(scheduler.kind) }])
}
