import { nomadScheduler } from '../../adapters/scheduler/nomad/kind.ts'
import { processScheduler } from '../../adapters/scheduler/process/kind.ts'
import { swarmScheduler } from '../../adapters/scheduler/swarm/kind.ts'
import type { SchedulerKind } from '../ports/scheduler-adapter.ts'

/** The schedulers that this release has, by their name in the configuration. */
export const schedulerKinds: ReadonlyMap<string, SchedulerKind> = new Map(
  [processScheduler, swarmScheduler, nomadScheduler].map((kind) => [kind.kind, kind]),
)

/** Whether every task type must name an image. Nomad runs programs of its nodes too, and says itself. */
export function needsImages(kind: string): boolean {
  return kind === 'swarm'
}

export function notBuilt(kind: string): string {
  return `scheduler.kind: ${kind} is not built into this release`
}
