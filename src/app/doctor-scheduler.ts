import type { DaemonConfig } from '../config/daemon-config.ts'
import type { TaskType } from '../core/task-type.ts'
import type { SchedulerExamination } from '../ports/scheduler-examination.ts'
import { clockFinding, failedFinding, type Finding } from './doctor-finding.ts'
import { schedulerExamination } from './examine-scheduler.ts'

const LIMIT_MS = 15_000
const PART = 'scheduler'
const AWAY = 'see the lines before it'

export async function doctorScheduler(
  config: DaemonConfig,
  types: readonly TaskType[],
  env: NodeJS.ProcessEnv,
): Promise<readonly Finding[]> {
  const scheduler = schedulerExamination(config, env)
  const signal = AbortSignal.timeout(LIMIT_MS)
  const checked = await scheduler.check(signal)
  return [
    ...checked.map((result): Finding => ({ part: PART, ...result })),
    ...(await clock(scheduler, signal)),
    ...(await needs(scheduler, types, signal)),
  ]
}

async function clock(
  scheduler: SchedulerExamination,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (scheduler.now === undefined) return []
  const now = scheduler.now.bind(scheduler)
  try {
    return [await clockFinding(PART, () => now(signal))]
  } catch (error) {
    return [failedFinding(PART, 'clock', error, AWAY)]
  }
}

/** Of what several task types lack, each says it. */
async function needs(
  scheduler: SchedulerExamination,
  types: readonly TaskType[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const name = 'task-types'
  try {
    const lacking = await scheduler.lacking?.(types, signal)
    if (lacking === undefined) return []
    const { lacks, unseen } = lacking
    const all = unseen.length === 0 ? 'everything' : 'everything else'
    return [
      ...lacks.map(({ taskType, path, message, remedy }): Finding => {
        const where = `${taskType}, ${path.join('.')}`
        return { part: PART, name, ok: false, message: `${where}: ${message}`, remedy }
      }),
      ...(lacks.length === 0
        ? [{ part: PART, name, ok: true, message: `${all} that they name is there` } as const]
        : []),
      ...unseen.map(({ message, remedy }): Finding => {
        return { part: PART, name, ok: true, message: `not looked at: ${message}`, remedy }
      }),
    ]
  } catch (error) {
    return [failedFinding(PART, name, error, AWAY)]
  }
}
