import type { UnitIdentity } from '../../../src/core/unit.ts'
import type { JobView } from './views.ts'

/**
 * Who a unit belongs to, as the job's `Meta`. Lists of jobs can be filtered by it; allocations and
 * evaluations carry none of it and are known by the id of their job alone.
 */
export const META = {
  installation: 'longhaul.installation',
  taskId: 'longhaul.task-id',
  taskUid: 'longhaul.task-uid',
  taskType: 'longhaul.task-type',
  run: 'longhaul.run',
  attempt: 'longhaul.attempt',
  /** How much of the end of the output goes into an exit: a list must know it without the task type. */
  logTailBytes: 'longhaul.log-tail-bytes',
} as const

export type Meta = Readonly<Record<string, string>>

export interface IdentifiedUnit {
  readonly name: string
  readonly identity: UnitIdentity
  readonly logTailBytes: number
}

/**
 * Nomad gives every value to the task's environment as well (`NOMAD_META_…`) and fills in what looks
 * like a variable there (client/taskenv, buildEnv): a task's id, which is its sender's, has none.
 */
export function metaOf({ identity, logTailBytes }: Omit<IdentifiedUnit, 'name'>): Meta {
  return {
    [META.installation]: identity.installation,
    [META.taskId]: withoutDollars(identity.taskId),
    [META.taskUid]: identity.taskUid,
    [META.taskType]: identity.taskType,
    [META.run]: String(identity.run),
    [META.attempt]: String(identity.attempt),
    [META.logTailBytes]: String(logTailBytes),
  }
}

/** The unit that a job is; undefined where its `Meta` is not ours. */
export function unitOf({
  ID,
  Meta: meta,
}: Pick<JobView, 'ID' | 'Meta'>): IdentifiedUnit | undefined {
  if (meta === undefined || meta === null) return undefined
  const installation = meta[META.installation]
  const taskId = meta[META.taskId]
  const taskUid = meta[META.taskUid]
  const taskType = meta[META.taskType]
  const run = Number(meta[META.run])
  const attempt = Number(meta[META.attempt])
  const logTailBytes = Number(meta[META.logTailBytes])
  if (installation === undefined || taskId === undefined) return undefined
  if (taskUid === undefined || taskType === undefined) return undefined
  if (!Number.isInteger(run) || !Number.isInteger(attempt)) return undefined
  return {
    name: ID,
    identity: { installation, taskId: withDollars(taskId), taskUid, taskType, run, attempt },
    logTailBytes: Number.isInteger(logTailBytes) ? logTailBytes : 0,
  }
}

function withoutDollars(text: string): string {
  return text.replaceAll(/[%$]/g, encodeURIComponent)
}

function withDollars(text: string): string {
  return text.replaceAll(/%2[45]/g, decodeURIComponent)
}
