import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import type { Argument, Declarations, Definition, Service, TaskType } from '../task-type.ts'
import { type Environment, interpolateDeep, variable } from './interpolate.ts'
import { bytes, duration, list, number, object, text, words, wrong } from './reader.ts'
import { compileRetry } from './retry.ts'
import { saysNothing } from './shell-words.ts'

const DAY_MS = 86_400_000

/**
 * A definition with this environment's variables filled in and every default applied. The document's
 * shape was checked when it was loaded. Throws `Rejected` with the place, where a variable is missing
 * or has made of a value what it cannot be.
 */
export function compileTaskType(definition: Definition, env: Environment): TaskType {
  const { name, hash, directory } = definition
  const compose = interpolateDeep(definition.compose, env) as JsonObject
  const service = object(object(compose['services'], 'services')[name], 'services')
  const path = `services.${name}`
  const task = object(service['x-task'], `${path}.x-task`)
  const of = (key: string): [Json | undefined, string] => [task[key], `${path}.x-task.${key}`]
  const keep = object(...of('keep'))
  const command = text(...of('command'))
  const idPointer = text(...of('id'))
  const attemptTimeoutMs = duration(...of('attempt_timeout'))
  const deadlineMs = duration(...of('deadline'))
  const concurrency = compileConcurrency(...of('concurrency'))
  return {
    name,
    hash,
    directory,
    service: { ...compileService(service, path, env), ...compileDeclarations(compose) },
    ...(command !== undefined && { command }),
    ...(idPointer !== undefined && { idPointer }),
    input: object(...of('input')),
    inputEnvironment: strings(...of('environment')),
    arguments: list(task['arguments']).map((one, i) =>
      compileArgument(one, `${path}.x-task.arguments[${i}]`),
    ),
    startTimeoutMs: duration(...of('start_timeout')) ?? 600_000,
    ...(attemptTimeoutMs !== undefined && { attemptTimeoutMs }),
    ...(deadlineMs !== undefined && { deadlineMs }),
    retry: compileRetry(...of('retry')),
    onNodeLost: compileNodeLost(...of('on_node_lost')),
    ...(concurrency && { concurrency }),
    priority: number(...of('priority')) ?? 0,
    eventNames: strings(...of('events')),
    keep: {
      outcomeMs: duration(keep['outcome'], `${path}.x-task.keep.outcome`) ?? 30 * DAY_MS,
      failedUnitMs: duration(keep['failed_unit'], `${path}.x-task.keep.failed_unit`) ?? 3_600_000,
      logTailBytes: bytes(keep['log_tail'], `${path}.x-task.keep.log_tail`) ?? 16_384,
    },
  }
}

function compileService(service: JsonObject, path: string, env: Environment): Service {
  const of = (key: string): [Json | undefined, string] => [service[key], `${path}.${key}`]
  const image = text(...of('image'))
  const workingDir = text(...of('working_dir'))
  const { 'x-task': task, ...compose } = service
  const nomad = object(task, `${path}.x-task`)['nomad']
  return {
    ...(image !== undefined && { image }),
    ...compileProgram(words(...of('entrypoint')), words(...of('command')), path),
    ...(workingDir !== undefined && { workingDir }),
    environment: compileEnvironment(service['environment'], `${path}.environment`, env),
    stopSignal: signalName(text(...of('stop_signal')) ?? 'SIGTERM'),
    stopGraceMs: duration(...of('stop_grace_period')) ?? 10_000,
    compose,
    ...(nomad !== undefined && { nomad: object(nomad, `${path}.x-task.nomad`) }),
  }
}

/**
 * An empty entrypoint takes the image's away, and its command with it (the Compose specification). Engines
 * and drivers take an empty list for none; the first word of the command in its place is the same to them.
 */
function compileProgram(
  entrypoint: readonly string[] | undefined,
  command: readonly string[] | undefined,
  path: string,
): Pick<Service, 'entrypoint' | 'command'> {
  if (entrypoint === undefined || !saysNothing(entrypoint)) {
    return {
      ...(entrypoint !== undefined && { entrypoint }),
      ...(command !== undefined && { command }),
    }
  }
  const [program, ...rest] = command ?? []
  // Else the first argument that comes from a message would be what runs.
  if (program === undefined || program === '') {
    throw wrong(`${path}.entrypoint`, "an empty one takes the image's away: write `command`")
  }
  return { entrypoint: [program], ...(rest.length > 0 && { command: rest }) }
}

function compileDeclarations(compose: JsonObject): { declared?: Declarations } {
  const kinds = ['secrets', 'configs', 'networks', 'volumes'] as const
  const declared = kinds.filter((kind) => isJsonObject(compose[kind]))
  if (declared.length === 0) return {}
  return {
    declared: Object.fromEntries(declared.map((kind) => [kind, object(compose[kind], kind)])),
  }
}

/** `NAME` and `NAME:` without a value take the daemon's, as Compose does; where it has none, there is none. */
function compileEnvironment(
  value: Json | undefined,
  path: string,
  env: Environment,
): Readonly<Record<string, string>> {
  const pairs: (readonly [string, string | undefined])[] = isJsonObject(value)
    ? Object.entries(value).map(([name, given]) => [name, text(given, `${path}.${name}`)] as const)
    : list(value).map((line) => {
        const [name, ...rest] = (text(line, path) ?? '').split('=')
        return [name ?? '', rest.length === 0 ? undefined : rest.join('=')] as const
      })
  return Object.fromEntries(
    pairs.flatMap(([name, given]) => {
      const filled = given ?? variable(name, env)
      return filled === undefined ? [] : [[name, filled]]
    }),
  )
}

function compileArgument(value: Json, path: string): Argument {
  if (!isJsonObject(value)) return text(value, path) ?? ''
  return { from: text(value['from'], `${path}.from`) ?? '' }
}

function compileConcurrency(value: Json | undefined, path: string): TaskType['concurrency'] {
  if (value === undefined || value === null) return undefined
  const concurrency = object(value, path)
  const limit = number(concurrency['limit'], `${path}.limit`)
  if (limit === undefined || !Number.isInteger(limit) || limit < 1) {
    throw wrong(`${path}.limit`, 'must be a whole number from 1')
  }
  const key = text(concurrency['key'], `${path}.key`)
  return { limit, ...(key !== undefined && { key }) }
}

function compileNodeLost(value: Json | undefined, path: string): TaskType['onNodeLost'] {
  // `on_node_lost: wait` says all that `{ action: wait }` says.
  const policy = typeof value === 'string' ? { action: value } : object(value, path)
  const afterMs = duration(policy['after'], `${path}.after`) ?? 60_000
  return { action: policy['action'] === 'wait' ? 'wait' : 'retry', afterMs }
}

function strings(value: Json | undefined, path: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(object(value, path)).map(([key, member]) => [
      key,
      text(member, `${path}.${key}`) ?? '',
    ]),
  )
}

/** `TERM`, `SIGTERM` and `15` are the same to Compose; here it is always the name. */
function signalName(written: string): string {
  if (/^\d+$/.test(written)) return written
  const upper = written.toUpperCase()
  return upper.startsWith('SIG') ? upper : `SIG${upper}`
}
