import type { PositionalOptions } from 'yargs'
import { Rejected } from '../core/errors.ts'

/** `TYPE/ID`, as every command takes it that is about one task. */
export const TASK_ARGUMENT = {
  type: 'string',
  demandOption: true,
  describe: 'The task, as `task run` and `task list` name it',
  coerce: checkedTaskId,
} as const satisfies PositionalOptions

export interface TaskArgs {
  readonly task: string
}

function checkedTaskId(text: string): string {
  const slash = text.indexOf('/')
  if (slash > 0 && slash < text.length - 1) return text
  throw new Rejected('usage', `a task is named TYPE/ID, as in encode-video/42: not ${text}`)
}
