import type { NomadApi } from '../client/nomad-api.ts'
import { META } from '../identity.ts'
import type { AllocationView, EvaluationView, JobView } from '../views.ts'
import { type Reading, TELLING } from './job-states.ts'

/** How every unit's name begins: what is asked for and heard is narrowed by it. */
export const UNIT_PREFIX = 'lh-'

/**
 * Every unit of an installation, by page. The jobs come last: a job that is there then was there with
 * its allocations, or was registered meanwhile; one that is gone takes its allocations with it, which
 * are kept for longer (and before 1.11 after a purge as well).
 */
export async function readJobs(
  api: NomadApi,
  installation: string,
  signal: AbortSignal,
): Promise<Reading> {
  const ours = `JobID matches "^${UNIT_PREFIX}"`
  const [allocations, evaluations] = await Promise.all([
    api.list<AllocationView>('/v1/allocations', signal, { filter: ours }),
    api.list<EvaluationView>('/v1/evaluations', signal, { filter: `${ours} and (${TELLING})` }),
  ])
  const jobs = await api.list<JobView>('/v1/jobs', signal, {
    prefix: UNIT_PREFIX,
    meta: true,
    filter: `Meta["${META.installation}"] == ${JSON.stringify(installation)}`,
  })
  return { jobs, allocations, evaluations }
}
