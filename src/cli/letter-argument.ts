import type { PositionalOptions } from 'yargs'

/** A dead letter's id, as every command takes it that is about one. */
export const LETTER_ARGUMENT = {
  type: 'string',
  demandOption: true,
  describe: 'Its id, as `dead-letters list` says it',
} as const satisfies PositionalOptions

export interface LetterArgs {
  readonly id: string
}
