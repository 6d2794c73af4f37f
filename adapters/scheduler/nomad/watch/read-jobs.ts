import type { NomadApi } from '../client/nomad-api.ts'
import { LABEL } from '../../unit-labels.ts'
import type { AllocationView, EvaluationView, JobView } from '../views.ts'
import { type Reading, TELLING } from './job-states.ts'

/** How every unit's name begins: what is asked for and heard is narrowed by it. */
export const UNIT_PREFIX = 'lh-'

/**
 * Every unit of an installation, by page, one kind after the other. The jobs come first: an allocation is
 * then at least as new as its job, so that one that was deregistered without an allocation has never
 * had any, and one that is gone takes its allocations with it. What was done by hand to an allocation
 * stands in an evaluation that is there before it shows.
 */
export async function readJobs(
  api: NomadApi,
  installation: string,
  signal: AbortSignal,
): Promise<Reading> {
  const ours = `JobID matches "^${UNIT_PREFIX}"`
  const jobs = await api.list<JobView>('/v1/jobs', signal, {
    prefix: UNIT_PREFIX,
    meta: true,
    filter: `Meta["${LABEL.installation}"] == ${JSON.stringify(installation)}`,
  })
  const allocations = await api.list<AllocationView>('/v1/allocations', signal, { filter: ours })
  const telling = `${ours} and (${TELLING})`
  const evaluations = await api.list<EvaluationView>('/v1/evaluations', signal, { filter: telling })
  return { jobs, allocations, evaluations }
}
