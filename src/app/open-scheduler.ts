import { join } from 'node:path'
import { openNomadScheduler } from '../../adapters/scheduler/nomad/open.ts'
import { openProcessScheduler } from '../../adapters/scheduler/process/open.ts'
import { openSwarmScheduler } from '../../adapters/scheduler/swarm/open.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import type { Logger } from '../ports/logger.ts'
import type { SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import type { Store } from '../ports/store.ts'
import { addressed } from './nomad-address.ts'

/** Where the store keeps the id of the folder of units that its tasks run in. */
const UNITS_FOLDER = 'process-units-folder'

/**
 * The scheduler that the daemon's file names, which goes with the stack, and why this daemon must not
 * lead, where it must not.
 */
export async function openScheduler(
  config: DaemonConfig,
  store: Store,
  opened: AsyncDisposableStack,
  { env, logger }: { readonly env: NodeJS.ProcessEnv; readonly logger: Logger },
): Promise<{ readonly scheduler: SchedulerAdapter; readonly mayNotLead?: string }> {
  const { installation } = store
  const { scheduler, data: directory, file } = config
  switch (scheduler.kind) {
    case 'process': {
      const processes = opened.use(await openProcessScheduler({ directory, installation, logger }))
      const mayNotLead = await otherFolder(store, processes.folderId, directory)
      return { scheduler: processes, ...(mayNotLead !== undefined && { mayNotLead }) }
    }
    case 'swarm': {
      const swarm = openSwarmScheduler({ ...scheduler, installation, logger })
      return { scheduler: opened.use(swarm) }
    }
    case 'nomad': {
      const open = () => openNomadScheduler({ settings: scheduler, env, installation, logger })
      return { scheduler: opened.use(addressed(file, open)) }
    }
  }
}

/** Units are where they were started: a daemon with another folder would take them all for lost. */
async function otherFolder(
  store: Store,
  folderId: string,
  data: string,
): Promise<string | undefined> {
  const known = await store.remember(UNITS_FOLDER, folderId)
  if (known === folderId) return undefined
  return (
    `the units in ${join(data, 'units')} are not those of this store (folder ${folderId}, not ` +
    `${known}): bring the folder back, or point \`data\` to it`
  )
}
