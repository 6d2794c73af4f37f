import type { SchedulerKind } from '../../../src/ports/scheduler-adapter.ts'
import { jobOf } from './job/job.ts'
import { refusalsOf, warningsOf } from './warnings.ts'

/** What can be said of Nomad without reaching one: of its newest release. */
export const nomadScheduler: SchedulerKind = {
  kind: 'nomad',
  refusals: refusalsOf,
  warnings: warningsOf,
  render: (unit) => jobOf(unit, {}),
}
