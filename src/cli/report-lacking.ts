import { schedulerExamination } from '../app/examine-scheduler.ts'
import { issueInFile } from '../config/issue-in-file.ts'
import { type ConfigIssue, Unavailable } from '../core/errors.ts'
import type { Unseen } from '../ports/scheduler-examination.ts'
import type { Definitions } from './definitions.ts'

const LIMIT_MS = 10_000

/** Whether the scheduler has what the task types name, as `longhaul check` tells it. */
export interface LackingReport {
  /** False: it holds nothing that could be lacking, or does not answer. */
  readonly asked: boolean
  /** Why it could not be asked, where it should have been. */
  readonly message?: string
  /** What it was asked about and did not tell. */
  readonly unseen: readonly Unseen[]
  /** What it does not have, each where its file names it. */
  readonly issues: readonly ConfigIssue[]
}

/**
 * Asks the scheduler that the daemon's file names. One that does not answer is no mistake: files are
 * often checked elsewhere than where the daemon runs.
 */
export async function reportLacking(
  { config, scheduler, types }: Definitions,
  env: NodeJS.ProcessEnv,
): Promise<LackingReport> {
  // For another kind than the file's there is nobody to ask.
  if (scheduler.kind !== config.scheduler.kind) return NOT_ASKED
  const loaded = [...types.values()].map(({ type }) => type)
  try {
    const signal = AbortSignal.timeout(LIMIT_MS)
    const lacking = await schedulerExamination(config, env).lacking?.(loaded, signal)
    if (lacking === undefined) return NOT_ASKED
    const { lacks, unseen } = lacking
    const issues = await Promise.all(
      lacks.flatMap(({ taskType, path, message, remedy }) => {
        const file = types.get(taskType)?.file
        if (file === undefined) return []
        return [issueInFile(file, ['services', taskType, ...path], `${message}: ${remedy}`)]
      }),
    )
    return { asked: true, unseen, issues }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    const message = `whether the scheduler ${scheduler.kind} has what the task types name could not be asked: ${error.message}`
    return { ...NOT_ASKED, message }
  }
}

const NOT_ASKED: LackingReport = { asked: false, unseen: [], issues: [] }
