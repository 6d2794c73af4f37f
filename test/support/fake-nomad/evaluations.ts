import { randomUUID } from 'node:crypto'
import { nanoseconds } from './objects.ts'
import type { Evaluation } from './objects.ts'

/** An evaluation that is still to be put into the state. */
export type NewEvaluation = Omit<Evaluation, 'CreateIndex' | 'ModifyIndex'>

export function newEvaluation(
  of: Pick<Evaluation, 'Namespace' | 'JobID' | 'TriggeredBy'> & Partial<Evaluation>,
): NewEvaluation {
  const now = nanoseconds()
  return {
    ID: randomUUID(),
    Priority: 50,
    Type: 'batch',
    Status: 'pending',
    CreateTime: now,
    ModifyTime: now,
    ...of,
  }
}

/** What waits for a place, or for a node that may take what was planned. */
export function blockedEvaluation(
  eval_: Evaluation,
  of: Partial<Evaluation> & { readonly SnapshotIndex: number },
): NewEvaluation {
  const { JobID, Namespace, Priority, Type, JobModifyIndex } = eval_
  return newEvaluation({
    JobID,
    Namespace,
    Priority,
    Type,
    ...(JobModifyIndex !== undefined && { JobModifyIndex }),
    TriggeredBy: 'queued-allocs',
    Status: 'blocked',
    StatusDescription: 'created to place remaining allocations',
    PreviousEval: eval_.ID,
    ...of,
  })
}
