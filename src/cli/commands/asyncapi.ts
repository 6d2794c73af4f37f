import type { CommandModule } from 'yargs'
import type { DaemonConfig } from '../../config/daemon-config.ts'
import type { Broker } from '../../core/async-api.ts'
import { printJson } from '../client-command.ts'
import { FILE_OPTIONS } from '../file-options.ts'
import { processScreen } from '../terminal/process-screen.ts'
import { version } from '../version.ts'

interface Args {
  readonly config: string | undefined
  readonly json: boolean
}

export const asyncapiCommand: CommandModule<object, Args> = {
  command: 'asyncapi',
  describe: 'Print the messages of this configuration as an AsyncAPI 3 document',
  builder: (args) =>
    args.options({
      config: FILE_OPTIONS.config,
      json: { type: 'boolean', default: true, describe: 'As JSON (--no-json: as YAML)' },
    }),
  async handler({ config, json }) {
    using screen = processScreen()
    const { loadDefinitions } = await import('../definitions.ts')
    const { asyncApi } = await import('../../core/async-api.ts')
    const args = { config, scheduler: undefined }
    const definitions = await loadDefinitions(args, process.env, process.cwd())
    const types = [...definitions.types.values()].map(({ type }) => type)
    const broker = brokerOf(definitions.config.bus)
    const document = asyncApi({ types, version, ...(broker && { broker }) })
    if (json) printJson(screen, document)
    else {
      const { stringify } = await import('yaml')
      screen.write(stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }))
    }
  },
}

/** Where the broker is, without who goes there. */
function brokerOf(bus: DaemonConfig['bus']): Broker | undefined {
  if (bus.kind === 'embedded') return undefined
  const url = new URL(bus.url)
  const vhost = decodeURIComponent(url.pathname.slice(1))
  return {
    host: url.host,
    protocol: url.protocol === 'amqps:' ? 'amqps' : 'amqp',
    vhost: vhost === '' ? '/' : vhost,
    queue: bus.queue,
  }
}
