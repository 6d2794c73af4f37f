import type { CommandModule } from 'yargs'
import { deadLettersDropCommand } from './dead-letters-drop.ts'
import { deadLettersListCommand } from './dead-letters-list.ts'
import { deadLettersReplayCommand } from './dead-letters-replay.ts'
import { deadLettersShowCommand } from './dead-letters-show.ts'

export const deadLettersCommand: CommandModule = {
  command: 'dead-letters',
  describe: 'See to messages that could not be handled',
  builder: (args) =>
    args
      .command(deadLettersListCommand)
      .command(deadLettersShowCommand)
      .command(deadLettersReplayCommand)
      .command(deadLettersDropCommand)
      .demandCommand(1, 'Say what is to be done with dead letters'),
  handler: () => undefined,
}
