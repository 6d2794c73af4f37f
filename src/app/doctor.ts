import type { DaemonConfig } from '../config/daemon-config.ts'
import type { TaskType } from '../core/task-type.ts'
import { doctorBus } from './doctor-bus.ts'
import type { Finding } from './doctor-finding.ts'
import { doctorScheduler } from './doctor-scheduler.ts'
import { doctorStore } from './doctor-store.ts'

/**
 * What there is to say of the scheduler, the bus and the store that the daemon's file names, whether a
 * daemon runs or not. Looking changes nothing, and with SQLite takes no lock. Never throws for what it
 * reports: a part that does not answer, or that nobody is let into, is a finding.
 */
export async function examine(
  config: DaemonConfig,
  types: readonly TaskType[],
  env: NodeJS.ProcessEnv,
): Promise<readonly Finding[]> {
  const parts = await Promise.all([
    doctorScheduler(config, types, env),
    doctorBus(config),
    doctorStore(config, env),
  ])
  return parts.flat()
}
