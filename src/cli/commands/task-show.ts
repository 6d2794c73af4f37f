import type { CommandModule } from 'yargs'
import { JSON_OPTION, printJson, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { TASK_ARGUMENT, type TaskArgs } from '../task-argument.ts'
import { printTaskDetails } from '../views/task-details.ts'

interface Args extends ConnectionArgs, TaskArgs {
  readonly json: boolean
}

export const taskShowCommand: CommandModule<object, Args> = {
  command: 'show <task>',
  describe: 'Show what happened to a task and why',
  builder: (args) =>
    args.positional('task', TASK_ARGUMENT).options({ json: JSON_OPTION, ...CONNECTION_OPTIONS }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const task = await client.task(args.task)
      if (args.json) printJson(screen, task)
      else printTaskDetails(screen, task)
      return EXIT.done
    }),
}
