import type { CommandModule } from 'yargs'
import { ConfigError } from '../../core/errors.ts'
import { JSON_OPTION, printJson } from '../client-command.ts'
import type { Definitions } from '../definitions.ts'
import { EXIT } from '../exit-code.ts'
import { FILE_OPTIONS, type FileArgs } from '../file-options.ts'
import type { LackingReport } from '../report-lacking.ts'
import type { SchemaReport } from '../schema-report.ts'
import { processScreen } from '../terminal/process-screen.ts'
import type { Screen } from '../terminal/screen.ts'

interface Args extends FileArgs {
  readonly json: boolean
}

export const checkCommand: CommandModule<object, Args> = {
  command: 'check',
  describe: 'Check the daemon’s file, all task types, what they need, and the store’s schema',
  builder: (args) => args.options({ ...FILE_OPTIONS, json: JSON_OPTION }),
  async handler(args) {
    using screen = processScreen()
    try {
      // Schemas and schedulers are loaded only where they are needed: most commands are clients.
      const { loadDefinitions } = await import('../definitions.ts')
      const { reportSchema } = await import('../schema-report.ts')
      const definitions = await loadDefinitions(args, process.env, process.cwd())
      const store = await reportSchema(definitions.config, process.env)
      if (store.schema === 'newer') {
        throw new ConfigError([
          { file: definitions.file, message: `store: ${store.message ?? ''}` },
        ])
      }
      const { refusalIssues } = await import('../report-refusals.ts')
      const { reportLacking } = await import('../report-lacking.ts')
      const refused = await refusalIssues(definitions)
      const { issues: lacking, ...needs } = await reportLacking(definitions, process.env)
      const issues = [...refused, ...lacking]
      if (issues.length > 0) throw new ConfigError(issues)
      const summary = { ...summaryOf(definitions), needs, store }
      if (args.json) printJson(screen, { ok: true, ...summary, issues: [] })
      else printSummary(screen, summary)
    } catch (error) {
      if (!(error instanceof ConfigError) || !args.json) throw error
      printJson(screen, { ok: false, issues: error.issues })
      process.exitCode = EXIT.configuration
    }
  },
}

function summaryOf({ file, scheduler, types }: Definitions) {
  return {
    file,
    scheduler: scheduler.kind,
    taskTypes: [...types.values()].map(({ type, file: typeFile }) => ({
      name: type.name,
      file: typeFile,
      definition: type.hash,
      ...(type.command !== undefined && { command: type.command }),
      warnings: scheduler.warnings(type),
    })),
  }
}

interface Summary extends ReturnType<typeof summaryOf> {
  readonly needs: Omit<LackingReport, 'issues'>
  readonly store: SchemaReport
}

function printSummary(screen: Screen, summary: Summary): void {
  const { file, scheduler, taskTypes, needs, store } = summary
  const ok = screen.paint('green', 'ok')
  const count = `${taskTypes.length} task type${taskTypes.length === 1 ? '' : 's'}`
  screen.print(`${ok}  ${file}: ${count} for the scheduler ${scheduler}`)
  if (store.message !== undefined) {
    const unknown = store.schema === 'unknown'
    const word = unknown ? screen.paint('yellow', 'warning') : screen.paint('cyan', 'note')
    screen.print(`    ${word}  ${store.message}`)
  }
  if (needs.message !== undefined) {
    screen.print(`    ${screen.paint('yellow', 'warning')}  ${needs.message}`)
  }
  for (const { message, remedy } of needs.unseen) {
    screen.print(`    ${screen.paint('cyan', 'note')}  not looked at: ${message}; ${remedy}`)
  }
  for (const { name, command, warnings } of taskTypes) {
    screen.print(`${ok}  ${name}${command === undefined ? '' : `  (${command})`}`)
    for (const warning of warnings) {
      screen.print(`    ${screen.paint('yellow', 'warning')}  ${warning}`)
    }
  }
}
