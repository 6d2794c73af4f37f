import { isAbsolute, resolve } from 'node:path'
import { constants } from 'node:os'
import { Rejected } from '../../../src/core/errors.ts'
import type { UnitSpec } from '../../../src/core/unit.ts'

/** A unit as a process: what is run, and nothing of how. */
export interface ProcessPlan {
  /** Entrypoint and command as one list; the first is looked up in the program's own PATH. */
  readonly argv: readonly [string, ...string[]]
  /** An absolute path; absent: the unit's own `work/`. */
  readonly workingDir?: string
  /** The program's whole environment. */
  readonly environment: Readonly<Record<string, string>>
  /** A signal that Linux knows, by number. */
  readonly stopSignal: number
  readonly stopGraceMs: number
}

/** What a program gets of the daemon's own environment, beside every `LC_*`. */
export const INHERITED = ['PATH', 'HOME', 'USER', 'LANG', 'TZ', 'TMPDIR'] as const

/** `Rejected` for a unit that no process can be: nothing to run, an unknown signal, a NUL byte. */
export function planOf(unit: UnitSpec, daemon: NodeJS.ProcessEnv): ProcessPlan {
  const { service } = unit
  const environment = { ...inherited(daemon), ...service.environment }
  const [command, ...rest] = argvOf(unit)
  if (command === undefined || command === '')
    throw new Rejected('no-command', 'there is nothing to run: a process needs a command')
  for (const text of [command, ...rest, ...Object.entries(environment).flat()])
    if (text.includes('\0'))
      throw new Rejected('nul-byte', 'an argument or environment value holds a NUL byte')
  for (const name of Object.keys(environment))
    if (name === '' || name.includes('='))
      throw new Rejected('environment-name', `'${name}' cannot be an environment name`)
  const stopSignal = signalNumber(service.stopSignal)
  if (stopSignal === undefined)
    throw new Rejected('stop-signal', `stop_signal: Linux has no signal '${service.stopSignal}'`)
  return {
    argv: [command, ...rest],
    environment,
    stopSignal,
    stopGraceMs: service.stopGraceMs,
    ...(service.workingDir !== undefined && {
      workingDir: isAbsolute(service.workingDir)
        ? service.workingDir
        : resolve(unit.directory, service.workingDir),
    }),
  }
}

export function argvOf({ service }: UnitSpec): readonly string[] {
  return [...(service.entrypoint ?? []), ...(service.command ?? [])]
}

function inherited(daemon: NodeJS.ProcessEnv): Record<string, string> {
  const names = [...INHERITED, ...Object.keys(daemon).filter((name) => name.startsWith('LC_'))]
  const kept: Record<string, string> = {}
  for (const name of names) {
    const value = daemon[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}

const SIGNALS: Readonly<Record<string, number>> = constants.signals
/** glibc's numbers, which are the ones that container engines use. */
const SIGRTMIN = 34
const SIGRTMAX = 64

/** `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`: as Compose and Docker take them. */
export function signalNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text)
    return number >= 1 && number <= SIGRTMAX ? number : undefined
  }
  const name = text.toUpperCase().startsWith('SIG')
    ? text.toUpperCase()
    : `SIG${text.toUpperCase()}`
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name)
  if (realTime === null) return Object.hasOwn(SIGNALS, name) ? SIGNALS[name] : undefined
  const offset = Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1)
  const number = (realTime[1] === 'MIN' ? SIGRTMIN : SIGRTMAX) + offset
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined
}
