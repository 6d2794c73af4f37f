import type { CommandModule } from 'yargs'
import type { Finding } from '../../app/doctor-finding.ts'
import { JSON_OPTION, printJson } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { FILE_OPTIONS } from '../file-options.ts'
import { processScreen } from '../terminal/process-screen.ts'
import type { Screen } from '../terminal/screen.ts'

interface Args {
  readonly config: string | undefined
  readonly json: boolean
}

export const doctorCommand: CommandModule<object, Args> = {
  command: 'doctor',
  describe: 'Look at the scheduler, the bus and the store, and say what to do about each',
  builder: (args) => args.options({ config: FILE_OPTIONS.config, json: JSON_OPTION }),
  async handler({ config, json }) {
    using screen = processScreen()
    const { loadDefinitions } = await import('../definitions.ts')
    const { examine } = await import('../../app/doctor.ts')
    const args = { config, scheduler: undefined }
    const definitions = await loadDefinitions(args, process.env, process.cwd())
    const types = [...definitions.types.values()].map(({ type }) => type)
    const findings = await examine(definitions.config, types, process.env)
    const ok = findings.every((finding) => finding.ok)
    if (json) printJson(screen, { ok, findings })
    else for (const finding of findings) screen.print(lineOf(finding, screen))
    process.exitCode = ok ? EXIT.done : EXIT.failed
  },
}

/** Whole on its line, whatever its length: it is sent to others. */
function lineOf({ part, name, ok, message, remedy }: Finding, screen: Screen): string {
  const word = ok ? screen.paint('green', 'ok ') : screen.paint('red', 'bad')
  const what = part === name ? part : `${part} ${name}`
  const advice = remedy === undefined ? '' : `; ${ok ? '' : 'remedy: '}${remedy}`
  return `${word}  ${what}: ${message}${advice}`
}
