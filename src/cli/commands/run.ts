import type { CommandModule } from 'yargs'
import { findDaemonConfig } from '../../config/daemon-config.ts'
import { version } from '../version.ts'

interface RunArguments {
  config: string | undefined
  'abandon-units': boolean
}

export const runCommand: CommandModule<object, RunArguments> = {
  command: 'run',
  describe: 'Run the daemon until it is asked to stop',
  builder: (args) =>
    args
      .option('config', {
        type: 'string',
        describe:
          'The daemon’s file (else LONGHAUL_CONFIG, ./config/longhaul.yml, /etc/longhaul/longhaul.yml)',
      })
      .option('abandon-units', {
        type: 'boolean',
        default: false,
        describe:
          'Give up what runs on another swarm or Nomad than the file names: only where that is gone for good',
      }),
  async handler({ config, abandonUnits }) {
    const configFile = findDaemonConfig(config, process.env, process.cwd())
    // Loaded here: the other commands start a second faster without the daemon's parts.
    const { runDaemon } = await import('../../app/run.ts')
    process.exitCode = await runDaemon({ configFile, env: process.env, version, abandonUnits })
  },
}
