import { randomUUID } from 'node:crypto'
import type { CommandModule } from 'yargs'
import { JSON_OPTION, printJson, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import type { Client, NewTask } from '../http/client.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { INPUT_OPTION, readInput } from '../input.ts'
import type { Screen } from '../terminal/screen.ts'
import { printTaskState } from '../views/task-state.ts'
import { shellWord } from '../views/task-details.ts'
import { printOutcome, waitingView } from '../views/waiting.ts'
import { runAndWait } from '../wait.ts'

interface Args extends ConnectionArgs {
  readonly type: string
  readonly id: string | undefined
  readonly input: string | undefined
  readonly wait: boolean
  readonly json: boolean
}

export const taskRunCommand: CommandModule<object, Args> = {
  command: 'run <type>',
  describe: 'Ask for a task',
  builder: (args) =>
    args
      .positional('type', {
        type: 'string',
        demandOption: true,
        describe: 'The task type',
      })
      .options({
        id: {
          type: 'string',
          requiresArg: true,
          describe: 'Its id, where the type does not take it from the input',
        },
        input: INPUT_OPTION,
        wait: {
          type: 'boolean',
          default: false,
          describe: 'Show what happens, and exit 0 only if it succeeds',
        },
        json: JSON_OPTION,
        ...CONNECTION_OPTIONS,
      }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const { type, id } = args
      const input = args.input === undefined ? {} : await readInput(args.input, process.stdin)
      const task: NewTask = { type, input, ...(id !== undefined && { id }) }
      // Without an id of ours the same request is still the same task, however often it is sent.
      const key = randomUUID()
      if (args.wait) return wait(client, screen, task, key, args.json)
      const { task: accepted, known } = await client.runTask(task, key)
      if (args.json) printJson(screen, accepted)
      else printTaskState(screen, accepted, known ? accepted.state : 'accepted')
      if (known) screen.note('It was known already: nothing new was started.')
      return EXIT.done
    }),
}

async function wait(
  client: Client,
  screen: Screen,
  request: NewTask,
  key: string,
  json: boolean,
): Promise<number> {
  const interrupted = new AbortController()
  const interrupt = () => {
    interrupted.abort()
  }
  process.once('SIGINT', interrupt)
  const view = waitingView(screen, json)
  try {
    const task = await runAndWait(
      client,
      { type: request.type, run: (signal) => client.runTask(request, key, signal) },
      view,
      interrupted.signal,
    )
    screen.live(undefined)
    if (json) printJson(screen, task)
    else printOutcome(screen, task)
    return task.state === 'succeeded' ? EXIT.done : EXIT.failed
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
    screen.live(undefined)
    screen.note(
      view.task === undefined
        ? 'Interrupted before the daemon had answered: it may have accepted the task or not.'
        : `Interrupted: ${view.task} goes on. See it with: longhaul task show ${shellWord(view.task)}`,
    )
    return EXIT.interrupted
  } finally {
    process.off('SIGINT', interrupt)
    interrupted.abort()
  }
}
