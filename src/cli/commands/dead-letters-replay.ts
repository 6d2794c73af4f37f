import type { CommandModule } from 'yargs'
import { withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { LETTER_ARGUMENT, type LetterArgs } from '../letter-argument.ts'

export const deadLettersReplayCommand: CommandModule<object, ConnectionArgs & LetterArgs> = {
  command: 'replay <id>',
  describe: 'Put a dead letter back on the queue',
  builder: (args) => args.positional('id', LETTER_ARGUMENT).options(CONNECTION_OPTIONS),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      await client.replayDeadLetter(args.id)
      screen.print(screen.rich ? `${args.id} is back on the queue` : args.id)
      return EXIT.done
    }),
}
