import type { CommandModule } from 'yargs'
import { callerOf } from '../caller.ts'
import { JSON_OPTION, printJson, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { TASK_ARGUMENT, type TaskArgs } from '../task-argument.ts'
import { printTaskState } from '../views/task-state.ts'

interface Args extends ConnectionArgs, TaskArgs {
  readonly json: boolean
}

export const taskRedriveCommand: CommandModule<object, Args> = {
  command: 'redrive <task>',
  describe: 'Run a failed or cancelled task again, or take up a stuck one',
  builder: (args) =>
    args.positional('task', TASK_ARGUMENT).options({ json: JSON_OPTION, ...CONNECTION_OPTIONS }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const task = await client.redrive(args.task, callerOf(process.env))
      if (args.json) printJson(screen, task)
      else printTaskState(screen, task, `goes on in run ${task.run}`)
      return EXIT.done
    }),
}
