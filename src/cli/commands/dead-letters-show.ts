import type { CommandModule } from 'yargs'
import { JSON_OPTION, printJson, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { LETTER_ARGUMENT, type LetterArgs } from '../letter-argument.ts'
import { printDeadLetter } from '../views/dead-letters.ts'

interface Args extends ConnectionArgs, LetterArgs {
  readonly json: boolean
}

export const deadLettersShowCommand: CommandModule<object, Args> = {
  command: 'show <id>',
  describe: 'Show a dead letter with its body',
  builder: (args) =>
    args.positional('id', LETTER_ARGUMENT).options({ json: JSON_OPTION, ...CONNECTION_OPTIONS }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const letter = await client.deadLetter(args.id)
      if (args.json) printJson(screen, letter)
      else printDeadLetter(screen, letter)
      return EXIT.done
    }),
}
