import { issueInFile } from '../config/issue-in-file.ts'
import type { ConfigIssue } from '../core/errors.ts'
import type { Definitions } from './definitions.ts'

/** What the scheduler would refuse to start, each where its file says it. */
export async function refusalIssues({ scheduler, types }: Definitions): Promise<ConfigIssue[]> {
  const issues = [...types.values()].flatMap(({ type, file }) =>
    (scheduler.refusals?.(type) ?? []).map(({ path, message }) => {
      const told = `${message} (the scheduler ${scheduler.kind} starts none of these tasks)`
      return issueInFile(file, ['services', type.name, ...path], told)
    }),
  )
  return await Promise.all(issues)
}
