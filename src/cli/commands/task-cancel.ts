import type { CommandModule } from 'yargs'
import { JSON_OPTION, printJson, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { callerOf } from '../caller.ts'
import { TASK_ARGUMENT, type TaskArgs } from '../task-argument.ts'
import { printTaskState } from '../views/task-state.ts'

interface Args extends ConnectionArgs, TaskArgs {
  readonly reason: string | undefined
  readonly json: boolean
}

export const taskCancelCommand: CommandModule<object, Args> = {
  command: 'cancel <task>',
  describe: 'Cancel a task',
  builder: (args) =>
    args.positional('task', TASK_ARGUMENT).options({
      reason: { type: 'string', requiresArg: true, describe: 'Why, for whoever asks later' },
      json: JSON_OPTION,
      ...CONNECTION_OPTIONS,
    }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const { reason } = args
      const { task, already } = await client.cancel(args.task, {
        ...callerOf(process.env),
        ...(reason !== undefined && { reason }),
      })
      if (args.json) printJson(screen, task)
      else printTaskState(screen, task, task.outcome ? 'cancelled' : 'is being cancelled')
      if (already) screen.note('It was cancelled before.')
      return EXIT.done
    }),
}
