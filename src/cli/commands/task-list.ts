import type { CommandModule } from 'yargs'
import { TASK_STATES, type TaskState } from '../../core/task.ts'
import { JSON_OPTION, printJson, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { LIMIT_OPTION, moreNote } from '../limit-option.ts'
import { printTaskList } from '../views/task-list.ts'

interface Args extends ConnectionArgs {
  readonly type: string | undefined
  readonly state: TaskState | undefined
  readonly limit: number
  readonly json: boolean
}

export const taskListCommand: CommandModule<object, Args> = {
  command: 'list',
  describe: 'List tasks, newest first',
  builder: (args) =>
    args.options({
      type: { type: 'string', requiresArg: true, describe: 'Only of this task type' },
      state: { choices: TASK_STATES, requiresArg: true, describe: 'Only in this state' },
      limit: LIMIT_OPTION,
      json: JSON_OPTION,
      ...CONNECTION_OPTIONS,
    }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const { type, state, limit } = args
      const { tasks, more } = await client.tasks({
        limit,
        ...(type !== undefined && { type }),
        ...(state !== undefined && { state }),
      })
      if (args.json) printJson(screen, { tasks, more })
      else printTaskList(screen, tasks)
      if (more && !args.json) screen.note(moreNote(limit))
      return EXIT.done
    }),
}
