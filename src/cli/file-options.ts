import type { Options } from 'yargs'

/** What the commands take that read the files themselves. */
export const FILE_OPTIONS = {
  config: {
    type: 'string',
    requiresArg: true,
    describe:
      'The daemon’s file (else LONGHAUL_CONFIG, ./config/longhaul.yml, /etc/longhaul/longhaul.yml)',
  },
  scheduler: {
    type: 'string',
    requiresArg: true,
    describe: 'For this kind of scheduler (else the one that the file names)',
  },
} as const satisfies Record<string, Options>

export interface FileArgs {
  readonly config: string | undefined
  readonly scheduler: string | undefined
}
