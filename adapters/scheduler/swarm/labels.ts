import type { UnitIdentity } from '../../../src/core/unit.ts'

/**
 * Who a unit belongs to, on the service (what lists are filtered by) and on its containers (what
 * a task's own spec and a node's events carry; a service's labels never reach those).
 */
export const LABEL = {
  installation: 'longhaul.installation',
  unit: 'longhaul.unit',
  taskId: 'longhaul.task-id',
  taskUid: 'longhaul.task-uid',
  taskType: 'longhaul.task-type',
  run: 'longhaul.run',
  attempt: 'longhaul.attempt',
  /** How much of the end of the output goes into the exit: a list must know it without the task type. */
  logTailBytes: 'longhaul.log-tail-bytes',
} as const

export type Labels = Readonly<Record<string, string>>

export function labelsOf(unit: {
  readonly name: string
  readonly identity: UnitIdentity
  readonly logTailBytes: number
}): Labels {
  const { identity } = unit
  return {
    [LABEL.installation]: identity.installation,
    [LABEL.unit]: unit.name,
    [LABEL.taskId]: identity.taskId,
    [LABEL.taskUid]: identity.taskUid,
    [LABEL.taskType]: identity.taskType,
    [LABEL.run]: String(identity.run),
    [LABEL.attempt]: String(identity.attempt),
    [LABEL.logTailBytes]: String(unit.logTailBytes),
  }
}

export interface LabelledUnit {
  readonly name: string
  readonly identity: UnitIdentity
  readonly logTailBytes: number
}

/** The unit that the labels tell of; undefined where they are not ours. */
export function unitOf(labels: Labels | undefined | null): LabelledUnit | undefined {
  if (labels === undefined || labels === null) return undefined
  const name = labels[LABEL.unit]
  const installation = labels[LABEL.installation]
  const taskId = labels[LABEL.taskId]
  const taskUid = labels[LABEL.taskUid]
  const taskType = labels[LABEL.taskType]
  const run = Number(labels[LABEL.run])
  const attempt = Number(labels[LABEL.attempt])
  const logTailBytes = Number(labels[LABEL.logTailBytes])
  if (name === undefined || installation === undefined || taskId === undefined) return undefined
  if (taskUid === undefined || taskType === undefined) return undefined
  if (!Number.isInteger(run) || !Number.isInteger(attempt)) return undefined
  return {
    name,
    identity: { installation, taskId, taskUid, taskType, run, attempt },
    logTailBytes: Number.isInteger(logTailBytes) ? logTailBytes : 0,
  }
}
