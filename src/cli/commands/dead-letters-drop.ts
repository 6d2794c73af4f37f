import type { CommandModule } from 'yargs'
import { withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { LETTER_ARGUMENT, type LetterArgs } from '../letter-argument.ts'

export const deadLettersDropCommand: CommandModule<object, ConnectionArgs & LetterArgs> = {
  command: 'drop <id>',
  describe: 'Drop a dead letter',
  builder: (args) => args.positional('id', LETTER_ARGUMENT).options(CONNECTION_OPTIONS),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      await client.dropDeadLetter(args.id)
      screen.print(screen.rich ? `${args.id} is dropped` : args.id)
      return EXIT.done
    }),
}
