import { exitOfCode } from '../../../../src/core/exit.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import { environmentLiteral } from './literal.ts'
import type { Placed } from './placed.ts'
import type { DriverName } from './settings.ts'
import { Unhonoured } from './unhonoured.ts'
import { nanoseconds } from './values.ts'

/** What is run, with what, and how it is told to end. */
export function programOf(service: Service, driver: DriverName): Placed {
  return {
    config:
      driver === 'docker' || driver === 'podman'
        ? inContainer(service, driver)
        : bare(service, driver),
    task: { Env: environmentOf(service.environment), ...endOf(service) },
  }
}

/** Without `command` the drivers take `args` for the whole of it. */
function inContainer(
  { image = '', entrypoint = [], command = [] }: Service,
  driver: string,
): JsonObject {
  if (image === '')
    throw new Unhonoured([], `\`image\` is missing: the driver ${driver} runs images`)
  return {
    image,
    ...(entrypoint.length > 0 && { entrypoint }),
    ...(command.length > 0 && { args: command }),
  }
}

function bare({ entrypoint = [], command = [] }: Service, driver: string): JsonObject {
  const [program = '', ...args] = [...entrypoint, ...command]
  if (program === '') {
    throw new Unhonoured(
      [],
      `\`command\` is missing: the driver ${driver} has no image to have its own`,
    )
  }
  return { command: program, ...(args.length > 0 && { args }) }
}

function environmentOf(environment: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const path = ['environment', name]
      if (name === '' || name.includes('=')) {
        throw new Unhonoured(path, `'${name}' cannot be the name of an environment value`)
      }
      if (`${name}${value}`.includes('\0')) throw new Unhonoured(path, 'holds a NUL byte')
      return [name, environmentLiteral(value)]
    }),
  )
}

/** A grace of nothing is a kill at once: the docker driver, given no time at all, never comes to it. */
const LEAST_GRACE_MS = 1_000

function endOf({ stopSignal, stopGraceMs }: Service): JsonObject {
  if (stopGraceMs === 0) {
    return { KillSignal: 'SIGKILL', KillTimeout: nanoseconds(LEAST_GRACE_MS) }
  }
  return { KillSignal: signalOf(stopSignal), KillTimeout: nanoseconds(stopGraceMs) }
}

/** What Nomad knows by name (hashicorp/consul-template, signals). */
const SIGNALS = new Set(
  'ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO IOT KILL PIPE PROF QUIT SEGV STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 WINCH XCPU XFSZ'.split(
    ' ',
  ),
)

function signalOf(written: string): string {
  const name = /^\d+$/.test(written) ? (exitOfCode(128 + Number(written)).signal ?? '') : written
  if (SIGNALS.has(name.replace(/^SIG/, ''))) return name
  throw new Unhonoured(['stop_signal'], `Nomad has no signal '${written}'`)
}
