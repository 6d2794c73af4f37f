import type { CommandModule } from 'yargs'

export const demoCommand: CommandModule = {
  command: 'demo',
  describe: 'Show a daemon and an application at work, and leave nothing behind',
  async handler() {
    const { runDemo } = await import('../../app/demo.ts')
    process.exitCode = await runDemo((text) => {
      console.log(text)
    })
  },
}
