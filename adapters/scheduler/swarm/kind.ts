import type { SchedulerKind } from '../../../src/ports/scheduler-adapter.ts'
import { serviceSpecOf } from './spec/service-spec.ts'
import { sampleFacts, warningsOf } from './warnings.ts'

/** What can be said of Swarm without reaching one. */
export const swarmScheduler: SchedulerKind = {
  kind: 'swarm',
  warnings: warningsOf,
  render: (unit) => serviceSpecOf(unit, sampleFacts(unit.service)),
}
