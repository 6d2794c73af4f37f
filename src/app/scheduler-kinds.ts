import { processScheduler } from '../../adapters/scheduler/process/kind.ts'
import type { SchedulerKind } from '../ports/scheduler-adapter.ts'

/** The schedulers that this release has, by their name in the configuration. */
export const schedulerKinds: ReadonlyMap<string, SchedulerKind> = new Map(
  [processScheduler].map((kind) => [kind.kind, kind]),
)
