import type { CommandModule } from 'yargs'
import { findDaemonConfig } from '../../config/daemon-config.ts'
import { version } from '../version.ts'

export const runCommand: CommandModule<object, { config: string | undefined }> = {
  command: 'run',
  describe: 'Run the daemon until it is asked to stop',
  builder: (args) =>
    args.option('config', {
      type: 'string',
      describe:
        'The daemon’s file (else LONGHAUL_CONFIG, ./config/longhaul.yml, /etc/longhaul/longhaul.yml)',
    }),
  async handler({ config }) {
    const configFile = findDaemonConfig(config, process.env, process.cwd())
    // Loaded here: the other commands start a second faster without the daemon's parts.
    const { runDaemon } = await import('../../app/run.ts')
    process.exitCode = await runDaemon({ configFile, env: process.env, version })
  },
}
