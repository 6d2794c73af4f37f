import { examineProcesses } from '../../adapters/scheduler/process/check-open.ts'
import { examineSwarm } from '../../adapters/scheduler/swarm/check-open.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import { ConfigError } from '../core/errors.ts'
import type { SchedulerExamination } from '../ports/scheduler-examination.ts'
import { notBuilt } from './scheduler-kinds.ts'

/** Where to look at the scheduler that the daemon's file names. */
export function schedulerExamination({
  scheduler,
  data,
  file,
}: DaemonConfig): SchedulerExamination {
  switch (scheduler.kind) {
    case 'process':
      return examineProcesses({ directory: data })
    case 'swarm':
      return examineSwarm(scheduler)
    case 'nomad':
      throw new ConfigError([{ file, message: notBuilt(scheduler.kind) }])
  }
}
