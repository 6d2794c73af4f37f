import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import type { Environment } from '../core/compose/interpolate.ts'
import type { ConfigIssue } from '../core/errors.ts'
import { canonicalJson, isJsonObject } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import type { Definition } from '../core/task-type.ts'
import { fillIn } from './fill-in.ts'
import { keepModesOctal } from './octal-modes.ts'
import { keyProblem } from './problem.ts'
import { schemaCheck } from './schema-check.ts'
import { fileSchema } from './service-schema.ts'
import { ruleProblems } from './task-type-rules.ts'
import { parseYaml } from './yaml-file.ts'

/** One task type's file, read and checked by itself. */
export interface TaskTypeFile {
  readonly issues: readonly ConfigIssue[]
  /** The service's name and where it stands, also where something else of the file is wrong. */
  readonly name?: { readonly value: string; readonly place: ConfigIssue }
  readonly command?: { readonly value: string; readonly place: ConfigIssue }
  /** Absent where there are issues. */
  readonly definition?: Definition
}

export interface TaskTypeOptions {
  /** Whether every type must name an image: not every scheduler runs one. */
  readonly imageRequired: boolean
}

const check = schemaCheck(fileSchema)

export function readTaskType(
  file: string,
  text: string,
  env: Environment,
  options: TaskTypeOptions,
): TaskTypeFile {
  const yaml = parseYaml(file, text, keepModesOctal)
  const written = yaml.data
  if (written === undefined) return { issues: yaml.issues }
  const filledIn = fillIn(written, env)
  const document = check.cast(filledIn.document, written)
  const unfilled = new Set(filledIn.problems.map(({ path }) => path.join('\n')))
  const problems = [
    ...filledIn.problems,
    ...[...check.problems(document, written), ...ruleProblems(document, options)].filter(
      ({ path, at }) => at === 'key' || !unfilled.has(path.join('\n')),
    ),
  ]
  const issues = [...yaml.issues, ...problems.map((problem) => yaml.locate(problem))].sort(byPlace)
  const name = serviceName(document)
  if (name === undefined) return { issues }
  const command = commandOf(document, name)
  const compose = written
  return {
    issues,
    name: { value: name, place: yaml.locate(keyProblem(['services', name], '')) },
    ...(command !== undefined && {
      command: {
        value: command,
        place: yaml.locate({
          path: ['services', name, 'x-task', 'command'],
          at: 'value',
          message: '',
        }),
      },
    }),
    ...(issues.length === 0 &&
      isJsonObject(compose) && {
        definition: {
          name,
          hash: createHash('sha256').update(canonicalJson({ name, compose })).digest('hex'),
          directory: resolve(dirname(file)),
          compose,
        },
      }),
  }
}

export function byPlace(a: ConfigIssue, b: ConfigIssue): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}

function serviceName(document: Json): string | undefined {
  const services = isJsonObject(document) ? document['services'] : undefined
  return isJsonObject(services) ? Object.keys(services)[0] : undefined
}

function commandOf(document: Json, name: string): string | undefined {
  const services = isJsonObject(document) ? document['services'] : undefined
  const service = isJsonObject(services) ? services[name] : undefined
  const task = isJsonObject(service) ? service['x-task'] : undefined
  const command = isJsonObject(task) ? task['command'] : undefined
  return typeof command === 'string' ? command : undefined
}
