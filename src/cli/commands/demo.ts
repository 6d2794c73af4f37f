import type { CommandModule } from 'yargs'
import { runDemo } from '../../app/demo.ts'

export const demoCommand: CommandModule = {
  command: 'demo',
  describe: 'Show a daemon and an application at work, and leave nothing behind',
  async handler() {
    process.exitCode = await runDemo((text) => {
      console.log(text)
    })
  },
}
