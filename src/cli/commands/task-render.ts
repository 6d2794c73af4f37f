import type { CommandModule } from 'yargs'
import { JSON_OPTION, printJson } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { FILE_OPTIONS, type FileArgs } from '../file-options.ts'
import { INPUT_OPTION, readInput } from '../input.ts'
import { processScreen } from '../terminal/process-screen.ts'

interface Args extends FileArgs {
  readonly type: string
  readonly input: string | undefined
  readonly json: boolean
}

export const taskRenderCommand: CommandModule<object, Args> = {
  command: 'render <type>',
  describe: 'Show what the scheduler would be given for a task of this type',
  builder: (args) =>
    args
      .positional('type', { type: 'string', demandOption: true, describe: 'The task type' })
      .options({
        input: INPUT_OPTION,
        ...FILE_OPTIONS,
        json: { ...JSON_OPTION, describe: 'As JSON (else as YAML)' },
      }),
  async handler(args) {
    using screen = processScreen()
    const { loadDefinitions } = await import('../definitions.ts')
    const { renderTask } = await import('../render-task.ts')
    const definitions = await loadDefinitions(args, process.env, process.cwd())
    const input = args.input === undefined ? undefined : await readInput(args.input, process.stdin)
    const { rendered, masked, asWords } = renderTask(definitions, args.type, input, process.env)
    if (input === undefined) screen.note('Without --input: what comes from the input is left out.')
    if (masked.length > 0) {
      screen.note(`Filled in at the start and not shown: ${masked.join(', ')}.`)
    }
    for (const name of asWords) {
      const doubt = 'what it names may be translated otherwise'
      screen.note(`Rendered as if ${name} were a plain word: ${doubt}.`)
    }
    if (args.json) printJson(screen, rendered)
    else {
      const { stringify } = await import('yaml')
      screen.write(stringify(rendered, { lineWidth: 0 }))
    }
    process.exitCode = EXIT.done
  },
}
