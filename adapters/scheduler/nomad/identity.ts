import { LABEL, type Labelled, labelledOf, type Labels, labelsOf } from '../unit-labels.ts'
import type { JobView } from './views.ts'

export interface IdentifiedUnit extends Labelled {
  readonly name: string
}

/**
 * Who a unit belongs to, as the job's `Meta`; allocations and evaluations carry none of it and are known
 * by the id of their job alone. Nomad gives every value to the task's environment as well (`NOMAD_META_…`)
 * and fills in what looks like a variable there (client/taskenv, buildEnv): a task's id, which is its
 * sender's, has none.
 */
export function metaOf(unit: Labelled): Labels {
  return { ...labelsOf(unit), [LABEL.taskId]: withoutDollars(unit.identity.taskId) }
}

/** The unit that a job is; undefined where its `Meta` is not ours. */
export function unitOf({ ID, Meta }: Pick<JobView, 'ID' | 'Meta'>): IdentifiedUnit | undefined {
  const labelled = Meta && labelledOf(Meta)
  if (!labelled) return undefined
  const { identity, logTailBytes } = labelled
  const taskId = withDollars(identity.taskId)
  return { name: ID, identity: { ...identity, taskId }, logTailBytes }
}

function withoutDollars(text: string): string {
  return text.replaceAll(/[%$]/g, encodeURIComponent)
}

function withDollars(text: string): string {
  return text.replaceAll(/%2[45]/g, decodeURIComponent)
}
