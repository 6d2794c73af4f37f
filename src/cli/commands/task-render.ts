import type { CommandModule } from 'yargs'
import { stringify } from 'yaml'
import { Rejected } from '../../core/errors.ts'
import { atPointer, type JsonObject } from '../../core/json.ts'
import { asText, type TaskType } from '../../core/task-type.ts'
import { unitName, unitSpecFor } from '../../engine/unit-spec.ts'
import { JSON_OPTION, printJson } from '../client-command.ts'
import { FILE_OPTIONS, type FileArgs, loadDefinitions } from '../definitions.ts'
import { EXIT } from '../exit-code.ts'
import { INPUT_OPTION, readInput } from '../input.ts'
import { compileMasked } from '../masked-variables.ts'
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
    const { folder, scheduler, types } = await loadDefinitions(args, process.env, process.cwd())
    const loaded = types.get(args.type)
    if (loaded === undefined) {
      const known = [...types.keys()].join(', ') || 'none'
      const message = `there is no task type ${args.type} in ${folder}, which has: ${known}`
      throw new Rejected('unknown-type', message)
    }
    let input: JsonObject = {}
    if (args.input === undefined) {
      screen.note('Without --input: what comes from the input is left out.')
    } else {
      input = await readInput(args.input, process.stdin)
      const problems = loaded.validateInput(input)
      if (problems.length > 0) throw misfit(args.type, problems)
    }
    const { type, masked } = compileMasked(loaded.definition, process.env)
    if (masked.length > 0) {
      screen.note(`Filled in at the start and not shown: ${masked.join(', ')}.`)
    }
    const rendered = scheduler.render(sampleUnit(type, input))
    if (args.json) printJson(screen, rendered)
    else screen.write(stringify(rendered, { lineWidth: 0 }))
    process.exitCode = EXIT.done
  },
}

/** The first attempt of a task that nobody has asked for. */
function sampleUnit(type: TaskType, input: JsonObject) {
  const id = type.idPointer === undefined ? undefined : atPointer(input, type.idPointer)
  const uid = 'sample'
  const task = { id: `${type.name}/${id === undefined ? 'ID' : asText(id)}`, uid, type: type.name }
  const attempt = { number: 1, run: 1, unit: unitName('sample', task, 1) }
  return unitSpecFor('sample', type, { ...task, input }, attempt)
}

function misfit(
  type: string,
  problems: readonly { readonly pointer: string; readonly message: string }[],
): Rejected {
  const lines = problems.map(({ pointer, message }) => `  ${pointer || '(the whole)'}: ${message}`)
  return new Rejected('invalid-input', [`the input does not fit ${type}:`, ...lines].join('\n'))
}
