import { styleText } from 'node:util'
import yargs from 'yargs'
import { ConfigError, errorMessage, formatIssue, Rejected } from '../core/errors.ts'
import { asyncapiCommand } from './commands/asyncapi.ts'
import { checkCommand } from './commands/check.ts'
import { deadLettersCommand } from './commands/dead-letters.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { eventsCommand } from './commands/events.ts'
import { migrateCommand } from './commands/migrate.ts'
import { runCommand } from './commands/run.ts'
import { taskCommand } from './commands/task.ts'
import { topologyCommand } from './commands/topology.ts'
import { EXIT, exitCodeOf } from './exit-code.ts'
import { version } from './version.ts'

/** Does what the arguments say, and sets the process's exit code. */
export async function runProgram(args: readonly string[]): Promise<void> {
  try {
    await program(args).parseAsync()
  } catch (error) {
    process.exitCode = exitCodeOf(error) ?? EXIT.failed
    process.stderr.write(`${failureText(error, args)}\n`)
  }
}

function program(args: readonly string[]) {
  return (
    yargs([...args])
      .scriptName('longhaul')
      .locale('en')
      .usage('$0 <command>\n\nRuns long work off message handlers, and tells how it ended.')
      .command(runCommand)
      .command(checkCommand)
      .command(doctorCommand)
      .command(migrateCommand)
      .command(topologyCommand)
      .command(asyncapiCommand)
      .command(demoCommand)
      .command(taskCommand)
      .command(eventsCommand)
      .command(deadLettersCommand)
      .demandCommand(1, 'Say a command')
      .strict()
      .strictCommands()
      .version(version)
      .parserConfiguration({
        // `--input.a` is nobody's flag, and what is said twice counts as it was said last.
        'dot-notation': false,
        'duplicate-arguments-array': false,
      })
      .exitProcess(false)
      // yargs gives a message for wrong usage, and an error alone for what a command has thrown.
      .fail((message: string | null, error: Error | undefined) => {
        if (error !== undefined && exitCodeOf(error) !== undefined) throw error
        if (message !== null) throw new Rejected('usage', message, error)
        throw error ?? new Rejected('usage', 'these arguments cannot be understood')
      })
  )
}

function failureText(error: unknown, args: readonly string[]): string {
  if (error instanceof ConfigError) return error.issues.map(formatIssue).join('\n')
  const name = styleText('red', 'longhaul:', { stream: process.stderr })
  const code = exitCodeOf(error)
  if (code === EXIT.usage) return `${name} ${errorMessage(error)}\nSee ${helpFor(args)}`
  if (code !== undefined) return `${name} ${errorMessage(error)}`
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return `${name} this should not have happened:\n${stack}`
}

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  run: [],
  check: [],
  doctor: [],
  migrate: [],
  topology: [],
  asyncapi: [],
  demo: [],
  events: [],
  task: ['run', 'list', 'show', 'logs', 'cancel', 'redrive', 'render'],
  'dead-letters': ['list', 'show', 'replay', 'drop'],
}

/** The help of the command that was meant, as far as it can be told. */
function helpFor([first = '', second = '']: readonly string[]): string {
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined
  const words = group === undefined ? [] : group.includes(second) ? [first, second] : [first]
  return ['longhaul', ...words, '--help'].join(' ')
}
