import type { CommandModule } from 'yargs'
import { findDaemonConfig, loadDaemonConfig } from '../../config/daemon-config.ts'
import { JSON_OPTION, printJson } from '../client-command.ts'
import { FILE_OPTIONS } from '../file-options.ts'
import { processScreen } from '../terminal/process-screen.ts'

interface Args {
  readonly config: string | undefined
  readonly json: boolean
}

export const migrateCommand: CommandModule<object, Args> = {
  command: 'migrate',
  describe: 'Bring the store’s schema up to date',
  builder: (args) => args.options({ config: FILE_OPTIONS.config, json: JSON_OPTION }),
  async handler({ config, json }) {
    using screen = processScreen()
    const file = findDaemonConfig(config, process.env, process.cwd())
    const { migrateStore } = await import('../../app/store-schema.ts')
    const loaded = await loadDaemonConfig(file)
    const { from, to } = await migrateStore(loaded, process.env)
    if (json) printJson(screen, { store: loaded.store.kind, from, to })
    else if (from === to) screen.print(`The schema has version ${to}: nothing to do`)
    else if (from === 0) screen.print(`The schema is made, with version ${to}`)
    else screen.print(`The schema had version ${from} and has ${to} now`)
  },
}
