import { examineNomad } from '../../adapters/scheduler/nomad/check/open.ts'
import { examineProcesses } from '../../adapters/scheduler/process/check-open.ts'
import { examineSwarm } from '../../adapters/scheduler/swarm/check-open.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import type { SchedulerExamination } from '../ports/scheduler-examination.ts'
import { addressed } from './nomad-address.ts'

/** Where to look at the scheduler that the daemon's file names. */
export function schedulerExamination(
  { scheduler, data, file }: DaemonConfig,
  env: NodeJS.ProcessEnv,
): SchedulerExamination {
  switch (scheduler.kind) {
    case 'process':
      return examineProcesses({ directory: data })
    case 'swarm':
      return examineSwarm(scheduler)
    case 'nomad':
      return addressed(file, () => examineNomad({ settings: scheduler, env }))
  }
}
