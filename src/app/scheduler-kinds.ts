import { processScheduler } from '../../adapters/scheduler/process/kind.ts'
import { swarmScheduler } from '../../adapters/scheduler/swarm/kind.ts'
import type { SchedulerKind } from '../ports/scheduler-adapter.ts'

/** The schedulers that this release has, by their name in the configuration. */
export const schedulerKinds: ReadonlyMap<string, SchedulerKind> = new Map(
  [processScheduler, swarmScheduler].map((kind) => [kind.kind, kind]),
)

export function notBuilt(kind: string): string {
  return `scheduler.kind: ${kind} is not built into this release`
}
