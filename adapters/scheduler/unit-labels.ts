import type { UnitIdentity } from '../../src/core/unit.ts'

/** Who a unit belongs to, as the labels that a scheduler keeps with it. Lists are filtered by them. */
export const LABEL = {
  installation: 'longhaul.installation',
  taskId: 'longhaul.task-id',
  taskUid: 'longhaul.task-uid',
  taskType: 'longhaul.task-type',
  run: 'longhaul.run',
  attempt: 'longhaul.attempt',
  /** How much of the end of the output goes into the exit: a list must know it without the task type. */
  logTailBytes: 'longhaul.log-tail-bytes',
} as const

export type Labels = Readonly<Record<string, string>>

export interface Labelled {
  readonly identity: UnitIdentity
  readonly logTailBytes: number
}

export function labelsOf({ identity, logTailBytes }: Labelled): Labels {
  return {
    [LABEL.installation]: identity.installation,
    [LABEL.taskId]: identity.taskId,
    [LABEL.taskUid]: identity.taskUid,
    [LABEL.taskType]: identity.taskType,
    [LABEL.run]: String(identity.run),
    [LABEL.attempt]: String(identity.attempt),
    [LABEL.logTailBytes]: String(logTailBytes),
  }
}

/** Undefined where the labels are not ours. */
export function labelledOf(labels: Labels): Labelled | undefined {
  const installation = labels[LABEL.installation]
  const taskId = labels[LABEL.taskId]
  const taskUid = labels[LABEL.taskUid]
  const taskType = labels[LABEL.taskType]
  const run = Number(labels[LABEL.run])
  const attempt = Number(labels[LABEL.attempt])
  const logTailBytes = Number(labels[LABEL.logTailBytes])
  if (installation === undefined || taskId === undefined) return undefined
  if (taskUid === undefined || taskType === undefined) return undefined
  if (!Number.isInteger(run) || !Number.isInteger(attempt)) return undefined
  return {
    identity: { installation, taskId, taskUid, taskType, run, attempt },
    logTailBytes: Number.isInteger(logTailBytes) ? logTailBytes : 0,
  }
}
