import { refusal, type NomadApi } from './client/nomad-api.ts'
import { isOver } from './sight/exit.ts'
import type { Nodes } from './nodes.ts'
import { pause } from './pause.ts'
import type { AllocationView, EvaluationView, JobView } from './views.ts'

const FIRST_LOOK_MS = 50
const LONGEST_LOOK_MS = 500

/** Where a job is, as a path. */
export function jobPath(name: string): string {
  return `/v1/job/${encodeURIComponent(name)}`
}

/** Has Nomad end whatever runs of the job and place nothing more. A job that is not there is fine. */
export async function deregister(api: NomadApi, name: string, signal: AbortSignal): Promise<void> {
  const answer = await api.call('DELETE', jobPath(name), { signal })
  if (answer.status !== 200 && answer.status !== 404) {
    throw refusal(`DELETE ${jobPath(name)}`, answer)
  }
}

export async function allocationsOf(
  api: NomadApi,
  name: string,
  signal: AbortSignal,
): Promise<readonly AllocationView[]> {
  const path = `${jobPath(name)}/allocations`
  return await api.read<readonly AllocationView[]>(path, signal, { all: true })
}

/**
 * Ends a job, waits until nothing of it runs any more but on nodes that do not answer, and only then
 * purges it: with a purge its allocations go as well, while their programs are being killed. `job`: as it
 * is, undefined where it was purged.
 */
export async function removeJob(parts: {
  readonly api: NomadApi
  readonly nodes: Nodes
  readonly name: string
  readonly job: JobView | undefined
  readonly signal: AbortSignal
}): Promise<void> {
  const { api, nodes, name, job, signal } = parts
  // One that is dead has no evaluation that could still place something.
  const settled = job === undefined || job.Status === 'dead'
  if (!settled && job.Stop !== true) await deregister(api, name, signal)
  for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(lookMs * 2, LONGEST_LOOK_MS)) {
    const mayPlace = !settled && (await isBeingEvaluated(api, name, signal))
    const living = (await allocationsOf(api, name, signal)).filter((one) => !isOver(one))
    if (!mayPlace && (living.length === 0 || (await areOutOfReach(living, nodes, signal)))) break
    await pause(lookMs, signal)
  }
  if (job === undefined) return
  const answer = await api.call('DELETE', jobPath(name), { signal, query: { purge: true } })
  if (answer.status !== 200 && answer.status !== 404) {
    throw refusal(`DELETE ${jobPath(name)}`, answer)
  }
}

/** What was to be placed before the job was deregistered may be, until its evaluations are done. */
async function isBeingEvaluated(
  api: NomadApi,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `${jobPath(name)}/evaluations`
  const evaluations = await api.read<readonly EvaluationView[]>(path, signal)
  // One for the end of a disconnect waits for as long as that may last, and is in nobody's way.
  return evaluations.some(
    ({ Status, TriggeredBy }) => Status === 'pending' && TriggeredBy !== 'max-disconnect-timeout',
  )
}

async function areOutOfReach(
  allocations: readonly AllocationView[],
  nodes: Nodes,
  signal: AbortSignal,
): Promise<boolean> {
  if (allocations.every(({ ClientStatus }) => ClientStatus === 'unknown')) return true
  const known = await nodes.read(signal)
  return allocations.every(({ ClientStatus, NodeID = '' }) => {
    const status = known.get(NodeID)?.Status
    return ClientStatus === 'unknown' || status === 'down' || status === 'disconnected'
  })
}
