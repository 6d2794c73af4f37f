import type { CommandModule } from 'yargs'
import { JSON_OPTION, printJson } from '../client-command.ts'
import { FILE_OPTIONS } from '../file-options.ts'
import { processScreen } from '../terminal/process-screen.ts'
import { printTable } from '../terminal/table.ts'

interface Args {
  readonly config: string | undefined
  readonly json: boolean
}

export const topologyCommand: CommandModule<object, Args> = {
  command: 'topology',
  describe: 'Declare on RabbitMQ what the daemon needs there, before its first start',
  builder: (args) => args.options({ config: FILE_OPTIONS.config, json: JSON_OPTION }),
  async handler({ config, json }) {
    using screen = processScreen()
    const { loadDefinitions } = await import('../definitions.ts')
    const { declareTopology } = await import('../../app/topology.ts')
    const args = { config, scheduler: undefined }
    const definitions = await loadDefinitions(args, process.env, process.cwd())
    const types = [...definitions.types.values()].map(({ type }) => type)
    const topology = await declareTopology(definitions.config, types)
    const declared = topology ?? { exchanges: [], queues: [], bindings: [] }
    if (topology === undefined) {
      screen.note(
        'The bus is embedded: its messages are in the store, and nothing is to be declared.',
      )
    }
    if (json) {
      printJson(screen, declared)
      return
    }
    const { exchanges, queues, bindings } = declared
    if (topology === undefined) return
    printTable(
      screen,
      ['WHAT', 'NAME', 'IS'],
      [
        ...exchanges.map(({ name, type }) => ['exchange', name, `${type}, durable`]),
        ...queues.map(({ name, arguments: its }) => ['queue', name, argumentsText(its)]),
        ...bindings.map(({ queue, exchange }) => ['binding', queue, `from ${exchange}`]),
      ],
    )
  },
}

function argumentsText(its: Readonly<Record<string, string | number>>): string {
  const { 'x-queue-type': type, ...rest } = its
  const others = Object.entries(rest).map(([name, value]) => `${name}=${value}`)
  return [`${type ?? 'classic'}, durable`, ...others].join(' ')
}
