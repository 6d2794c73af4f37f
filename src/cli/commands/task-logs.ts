import { setTimeout as pause } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import { Rejected, Unavailable } from '../../core/errors.ts'
import { isEnded } from '../../core/task.ts'
import type { WireTask } from '../../core/wire.ts'
import { JSON_OPTION, printJson, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import type { Client } from '../http/client.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { wholeNumber } from '../limit-option.ts'
import { TASK_ARGUMENT, type TaskArgs } from '../task-argument.ts'
import type { Screen } from '../terminal/screen.ts'

/** How long a follower waits before it looks again for an attempt. */
const LOOK_AGAIN_MS = 500
const NEWLINE = 0x0a

interface Args extends ConnectionArgs, TaskArgs {
  readonly attempt: number | undefined
  readonly follow: boolean | undefined
  readonly json: boolean | undefined
}

export const taskLogsCommand: CommandModule<object, Args> = {
  command: 'logs <task>',
  describe: 'Print what an attempt has written',
  builder: (args) =>
    args.positional('task', TASK_ARGUMENT).options({
      attempt: {
        type: 'string',
        requiresArg: true,
        describe: 'Of this attempt (else of the latest)',
        coerce: (text: string | undefined) =>
          text === undefined ? undefined : wholeNumber('--attempt', text),
      },
      follow: {
        alias: 'f',
        type: 'boolean',
        describe: 'Go on until the attempt is over',
      },
      // Without a default: with one, yargs takes it for given.
      json: { type: 'boolean', conflicts: 'follow', describe: JSON_OPTION.describe },
      ...CONNECTION_OPTIONS,
    }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const { follow = false, json = false } = args
      const attempt = args.attempt ?? (await latestAttempt(client, args.task, follow))
      const { signal } = new AbortController()
      const chunks = await client.logs(args.task, attempt, { follow, signal })
      if (json) {
        const log = await textOf(chunks)
        printJson(screen, { task: args.task, attempt, log })
      } else await print(screen, chunks, attempt)
      if (follow) await assertOver(client, args.task, attempt)
      return EXIT.done
    }),
}

async function latestAttempt(client: Client, id: string, follow: boolean): Promise<number> {
  for (;;) {
    const task = await client.task(id)
    const number = task.attempts.at(-1)?.number
    if (number !== undefined) return number
    if (!follow || isEnded(task.state)) throw new Rejected('no-attempt', noAttempt(task))
    await pause(LOOK_AGAIN_MS)
  }
}

function noAttempt({ id, state, dueAt }: WireTask): string {
  const due = dueAt === undefined ? '' : `, and may start at ${dueAt}`
  return `${id} has no attempt yet: it is ${state}${due}`
}

async function print(
  screen: Screen,
  chunks: AsyncIterable<Uint8Array>,
  attempt: number,
): Promise<void> {
  let last: number | undefined
  for await (const chunk of chunks) {
    screen.write(chunk)
    last = chunk.at(-1) ?? last
  }
  if (last === undefined) screen.note(`Attempt ${attempt} has written nothing.`)
  else if (screen.rich && last !== NEWLINE) screen.print('')
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all).toString()
}

/** A daemon that stops ends its streams as an attempt does that is over. */
async function assertOver(client: Client, id: string, number: number): Promise<void> {
  const { attempts } = await client.task(id)
  if (attempts.find((attempt) => attempt.number === number)?.state === 'exited') return
  throw new Unavailable(
    'ended',
    `the daemon has ended the stream, and attempt ${number} goes on: follow it again`,
  )
}
