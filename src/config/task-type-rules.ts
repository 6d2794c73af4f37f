import { parseBytes } from '../core/compose/bytes.ts'
import { parseDuration } from '../core/compose/duration.ts'
import { schemaProblems } from '../core/input-schema.ts'
import { isJsonObject } from '../core/json.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { asText } from '../core/task-type.ts'
import { atPath, keyProblem, pathOfPointer, valueProblem } from './problem.ts'
import type { Path, Problem } from './problem.ts'
import { isGiven, programProblems } from './service-program.ts'
import { resourceProblems } from './service-resources.ts'

/** What the daemon itself sets in every attempt's environment. */
const OWN_VARIABLES = ['TASK_ID', 'TASK_TYPE', 'RUN', 'ATTEMPT', 'INPUT'].map(
  (name) => `LONGHAUL_${name}`,
)

/**
 * What must hold of a task type's document beyond its schema. It may break the schema too: what is not
 * of the right type is left to that.
 */
export function ruleProblems(
  document: Json,
  options: { readonly imageRequired: boolean },
): readonly Problem[] {
  const services = atPath(document, ['services'])
  if (!isJsonObject(services)) return []
  const [name, ...others] = Object.keys(services)
  if (name === undefined) return []
  const path = ['services', name]
  return [
    ...others.map((other) =>
      keyProblem(
        ['services', other],
        `one task type a file: \`${name}\` is here already, so \`${other}\` needs a file of its own`,
      ),
    ),
    ...programProblems(document, path, options.imageRequired),
    ...environmentProblems(document, path),
    ...resourceProblems(document, path),
    ...networkProblems(document, path),
    ...taskProblems(document, [...path, 'x-task']),
    ...nomadProblems(document, [...path, 'x-task', 'nomad']),
  ]
}

function environmentProblems(document: Json, path: Path): Problem[] {
  const places = [
    [...path, 'environment'],
    [...path, 'x-task', 'environment'],
  ]
  return places.flatMap((place) => {
    const environment = atPath(document, place)
    const names: (readonly [string, string])[] = Array.isArray(environment)
      ? environment.map(
          (line: Json, i) => [String(i), asText(line).split('=', 1)[0] ?? ''] as const,
        )
      : Object.keys(isJsonObject(environment) ? environment : {}).map((key) => [key, key] as const)
    return names
      .filter(([, name]) => OWN_VARIABLES.includes(name))
      .map(([key, name]) => keyProblem([...place, key], `the daemon itself sets \`${name}\``))
  })
}

/** Compose refuses the two together; schedulers take the one or the other. */
function networkProblems(document: Json, path: Path): Problem[] {
  const networks = atPath(document, [...path, 'networks'])
  const named = Array.isArray(networks) ? networks : Object.keys(networks ?? {})
  if (named.length === 0 || !isGiven(atPath(document, [...path, 'network_mode']))) return []
  const message = '`network_mode` and `networks` exclude each other: write one of them'
  return [keyProblem([...path, 'network_mode'], message)]
}

function taskProblems(document: Json, path: Path): Problem[] {
  const task = atPath(document, path)
  if (!isJsonObject(task)) return []
  return [
    ...nameProblems(task, path),
    ...inputProblems(task['input'], [...path, 'input']),
    ...backoffProblems(document, [...path, 'retry', 'backoff']),
    ...ruleListProblems(document, path),
  ]
}

/** What is said of a volume, secret or config that the top level does not have is said of none. */
function nomadProblems(document: Json, path: Path): Problem[] {
  const named = { volumes: ['volumes'], variables: ['secrets', 'configs'] } as const
  return Object.entries(named).flatMap(([key, kinds]) => {
    const declared = kinds.flatMap((kind) => keysAt(document, [kind]))
    return keysAt(document, [...path, key])
      .filter((name) => !declared.includes(name))
      .map((name) => {
        const where = kinds.map((kind) => `\`${kind}\``).join(' or the ')
        const message = `\`${name}\` is not among the ${where} of the top level`
        return keyProblem([...path, key, name], message)
      })
  })
}

function keysAt(document: Json, path: Path): readonly string[] {
  const found = atPath(document, path)
  return isJsonObject(found) ? Object.keys(found) : []
}

function nameProblems(task: JsonObject, path: Path): Problem[] {
  const { command, events } = task
  const places: (readonly [Path, Json | undefined])[] = [
    [[...path, 'command'], command],
    ...Object.entries(isJsonObject(events) ? events : {}).map(
      ([kind, name]) => [[...path, 'events', kind], name] as const,
    ),
  ]
  return places.flatMap(([place, name]) => {
    // The bus looks names up in a plain object: these are found in every one.
    if (typeof name === 'string' && name in Object.prototype) {
      return [
        valueProblem(
          place,
          `\`${name}\` is no name for a message: the bus cannot tell it from its own`,
        ),
      ]
    }
    if (place.at(-2) !== 'events' || name !== command || name === undefined) return []
    return [
      valueProblem(
        place,
        `\`${command as string}\` is the type's own command: each event would start a task`,
      ),
    ]
  })
}

function inputProblems(input: Json | undefined, path: Path): Problem[] {
  if (!isJsonObject(input)) return []
  return schemaProblems(input).map(({ pointer, message }) =>
    valueProblem([...path, ...pathOfPointer(pointer)], `not a JSON Schema: ${message}`),
  )
}

function backoffProblems(document: Json, path: Path): Problem[] {
  const durationAt = (key: string) => {
    const written = atPath(document, [...path, key])
    return typeof written === 'string' ? parseDuration(written) : undefined
  }
  const initialMs = durationAt('initial')
  if (initialMs === undefined) return []
  const maxMs = durationAt('max')
  if (maxMs !== undefined && initialMs > maxMs) {
    return [valueProblem([...path, 'max'], '`max` is shorter than `initial`')]
  }
  const defaultMaxMs = 300_000
  if (atPath(document, [...path, 'max']) !== undefined || initialMs <= defaultMaxMs) return []
  return [
    valueProblem([...path, 'initial'], 'longer than `max`, which is 5m where it is not given'),
  ]
}

function ruleListProblems(document: Json, taskPath: Path): Problem[] {
  const path = [...taskPath, 'retry', 'rules']
  const rules = atPath(document, path)
  if (!Array.isArray(rules)) return []
  const limitPath = [...taskPath.slice(0, -1), 'deploy', 'resources', 'limits', 'memory']
  const limit = bytesAt(document, limitPath)
  return rules.flatMap((rule: Json, i) => {
    const place = [...path, String(i)]
    if (!isJsonObject(rule)) return []
    return [
      ...codeProblems(document, [...place, 'when', 'exit_code']),
      ...(['count', 'resources'] as const)
        .filter((key) => rule[key] !== undefined && rule['action'] !== 'retry')
        .map((key) =>
          keyProblem([...place, key], `\`${key}\` says something of \`action: retry\` only`),
        ),
      ...memoryProblems(document, [...place, 'resources', 'memory'], limit),
    ]
  })
}

function codeProblems(document: Json, path: Path): Problem[] {
  const codes = atPath(document, path)
  const items: (readonly [Path, Json])[] = Array.isArray(codes)
    ? codes.map((code: Json, i) => [[...path, String(i)], code] as const)
    : [[path, codes ?? null]]
  return items.flatMap(([place, code]) => {
    const bounds = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(asText(code))
    if (bounds === null) return []
    const from = Number(bounds[1])
    const to = Number(bounds[2] ?? bounds[1])
    if (from > to)
      return [valueProblem(place, `the range ends before it begins: write "${to}-${from}"`)]
    return to > 255 ? [valueProblem(place, 'exit codes go from 0 to 255')] : []
  })
}

function memoryProblems(document: Json, path: Path, limit: number | undefined): Problem[] {
  if (!isJsonObject(atPath(document, path))) return []
  if (limit === undefined) {
    return [keyProblem(path, 'there is nothing to raise: write `deploy.resources.limits.memory`')]
  }
  const max = bytesAt(document, [...path, 'max'])
  if (max === undefined || max > limit) return []
  return [valueProblem([...path, 'max'], 'must be more than `deploy.resources.limits.memory`')]
}

function bytesAt(document: Json, path: Path): number | undefined {
  const written = atPath(document, path)
  return typeof written === 'string' || typeof written === 'number'
    ? parseBytes(written)
    : undefined
}
