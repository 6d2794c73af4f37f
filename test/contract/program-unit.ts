import type { Service } from '../../src/core/task-type.ts'
import type { UnitSpec } from '../../src/core/unit.ts'
import type { Program } from './scheduler-adapter.ts'

/** The programs of the contract as a scheduler's own units. */
export function unitOfProgram(
  program: Program,
  by: {
    /** A unit that runs a line of shell. */
    readonly script: (line: string, service?: Partial<Service>) => UnitSpec
    /** A unit that runs a command as it is. */
    readonly command: (command: readonly string[]) => UnitSpec
    /** A line that runs on until it is stopped, and stops at once. */
    readonly sleep: string
  },
): UnitSpec {
  switch (program.does) {
    case 'succeed':
      return by.script('exit 0')
    case 'exit':
      return by.script(`exit ${program.code}`)
    case 'write': {
      const then = program.exitCode === undefined ? by.sleep : `exit ${program.exitCode}`
      return by.script(`printf '%s\\n' ${program.lines.join(' ')}; ${then}`)
    }
    case 'sleep':
      return by.script(by.sleep)
    case 'ignore-stop':
      return by.script('trap "" TERM; while :; do sleep 1; done', { stopGraceMs: 100 })
    case 'not-exist':
      return by.command(['longhaul-no-such-command'])
  }
}
