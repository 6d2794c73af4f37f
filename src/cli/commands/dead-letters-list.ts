import type { CommandModule } from 'yargs'
import { JSON_OPTION, printJson, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { LIMIT_OPTION, moreNote } from '../limit-option.ts'
import { printDeadLetterList } from '../views/dead-letters.ts'

interface Args extends ConnectionArgs {
  readonly limit: number
  readonly json: boolean
}

export const deadLettersListCommand: CommandModule<object, Args> = {
  command: 'list',
  describe: 'List dead letters, newest first',
  builder: (args) =>
    args.options({ limit: LIMIT_OPTION, json: JSON_OPTION, ...CONNECTION_OPTIONS }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const { letters, more } = await client.deadLetters(args.limit)
      if (args.json) printJson(screen, { deadLetters: letters, more })
      else printDeadLetterList(screen, letters)
      if (more && !args.json) screen.note(moreNote(args.limit))
      return EXIT.done
    }),
}
