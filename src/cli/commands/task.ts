import type { CommandModule } from 'yargs'
import { taskCancelCommand } from './task-cancel.ts'
import { taskListCommand } from './task-list.ts'
import { taskLogsCommand } from './task-logs.ts'
import { taskRedriveCommand } from './task-redrive.ts'
import { taskRenderCommand } from './task-render.ts'
import { taskRunCommand } from './task-run.ts'
import { taskShowCommand } from './task-show.ts'

export const taskCommand: CommandModule = {
  command: 'task',
  describe: 'Run tasks and see what became of them',
  builder: (args) =>
    args
      .command(taskRunCommand)
      .command(taskListCommand)
      .command(taskShowCommand)
      .command(taskLogsCommand)
      .command(taskCancelCommand)
      .command(taskRedriveCommand)
      .command(taskRenderCommand)
      .demandCommand(1, 'Say what is to be done with a task'),
  handler: () => undefined,
}
