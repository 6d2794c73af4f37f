import type { ErrorObject } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parseBytes } from '../core/compose/bytes.ts'
import { parseDuration } from '../core/compose/duration.ts'
import { isJsonObject } from '../core/json.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { nearest } from './nearest.ts'
import { atPath, keyProblem, pathOfPointer, replaceAt, valueProblem } from './problem.ts'
import type { Path, Problem } from './problem.ts'
import type { Schema } from './schema.ts'

/** Holds documents against a schema of `schema.ts`. */
export interface SchemaCheck {
  /**
   * Every mistake of the document. `written` is the document before its variables were filled in:
   * messages show what the file says, never what a variable holds.
   */
  problems(document: Json, written: Json): readonly Problem[]
  /**
   * The document with numbers and booleans in place of strings that a variable has filled in where
   * the schema has a number or boolean: in YAML, `${N}` can only be written as a string.
   */
  cast(document: Json, written: Json): Json
}

/** The longest duration: a hundred years. Beyond it dates overflow, and nobody means it. */
const LONGEST_MS = 36_500 * 86_400_000

export function schemaCheck(schema: Schema): SchemaCheck {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, strict: false, discriminator: true })
  ajv.addKeyword({
    keyword: 'x-duration',
    type: 'string',
    validate: ({ minMs, days }: { minMs: number; days: boolean }, value: string) => {
      const ms = parseDuration(value)
      return ms !== undefined && ms >= minMs && ms <= LONGEST_MS && (days || !/[dw]/.test(value))
    },
  })
  ajv.addKeyword({
    keyword: 'x-bytes',
    type: ['string', 'number'],
    validate: ({ min, max }: { min: number; max: number }, value: string | number) => {
      const bytes = parseBytes(value)
      return bytes !== undefined && bytes >= min && bytes <= max
    },
  })
  ajv.addKeyword({
    keyword: 'x-pointer',
    type: 'string',
    validate: (_: boolean, value: string) => /^(\/([^~/]|~[01])*)+$/.test(value),
  })
  const validate = ajv.compile(schema)
  const errorsOf = (document: Json): readonly ErrorObject[] =>
    validate(document) ? [] : (validate.errors ?? [])

  return {
    problems: (document, written) => withoutEchoes(errorsOf(document), written),
    cast: (document, written) =>
      errorsOf(document).reduce((cast, error) => {
        const path = pathOfPointer(error.instancePath)
        const value = atPath(document, path)
        const filledIn = typeof value === 'string' && value !== atPath(written, path)
        if (error.keyword !== 'type' || !filledIn) return cast
        const plain = plainValue(value, [error.schema].flat())
        return plain === undefined ? cast : replaceAt(cast, path, plain)
      }, document),
  }
}

function plainValue(value: string, types: readonly unknown[]): Json | undefined {
  if (types.includes('boolean') && /^(true|false)$/.test(value)) return value === 'true'
  const numeric = types.includes('integer') || types.includes('number')
  return numeric && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined
}

/** One problem a place: what else ajv says of it is said by the first. */
function withoutEchoes(errors: readonly ErrorObject[], written: Json): readonly Problem[] {
  const seen = new Set<string>()
  return errors.flatMap((error) => {
    const problem = problemOf(error, written)
    if (problem === undefined) return []
    const place = JSON.stringify([
      problem.path,
      error.keyword === 'required' ? problem.message : '',
    ])
    if (seen.has(place)) return []
    seen.add(place)
    return [problem]
  })
}

function problemOf(error: ErrorObject, written: Json): Problem | undefined {
  const path = pathOfPointer(error.instancePath)
  const schema = (error.parentSchema ?? {}) as JsonObject
  const params = error.params as Readonly<Record<string, unknown>>
  const parameter = (name: string) => {
    const value = params[name]
    return typeof value === 'string' ? value : ''
  }
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = parameter('additionalProperty')
      return keyProblem([...path, key], unknownKey(key, schema))
    }
    case 'required': {
      const key = parameter('missingProperty')
      // Said better by the discriminator, with the kinds that there are.
      if (schema['discriminator'] !== undefined) return undefined
      return keyProblem(path, noteOf(schema, 'x-missing', key) ?? `\`${key}\` is missing`)
    }
    case 'propertyNames':
      return keyProblem(
        [...path, parameter('propertyName')],
        `\`${parameter('propertyName')}\` must be ${expected((schema['propertyNames'] ?? {}) as JsonObject)}`,
      )
    case 'discriminator':
      return kindProblem(path, schema, written)
    default: {
      // The error within propertyNames is about the key that the error above names.
      if (error.propertyName !== undefined) return undefined
      return valueProblem(path, valueMessage(error, schema, atPath(written, path)))
    }
  }
}

function valueMessage(error: ErrorObject, schema: JsonObject, value: Json | undefined): string {
  const not = value === undefined ? '' : `, not ${shown(value)}`
  const params = error.params as Readonly<Record<string, number>>
  switch (error.keyword) {
    case 'enum': {
      const values = (schema['enum'] as readonly string[]).map(String)
      const near = typeof value === 'string' ? nearest(value, values) : undefined
      const hint = near === undefined ? '' : `: did you mean \`${near}\`?`
      return `must be one of ${values.map((one) => `\`${one}\``).join(', ')}${not}${hint}`
    }
    case 'minimum':
      return `must be at least ${params['limit'] ?? ''}${not}`
    case 'maximum':
      return `must be at most ${params['limit'] ?? ''}${not}`
    case 'exclusiveMinimum':
      return `must be more than ${params['limit'] ?? ''}${not}`
    case 'minItems':
    case 'minProperties':
    case 'minLength':
      return 'must not be empty'
    default:
      return `must be ${expected(schema)}${not}`
  }
}

function unknownKey(key: string, schema: JsonObject): string {
  const why = noteOf(schema, 'x-refused', key)
  if (why !== undefined) return `\`${key}\` makes no sense here: ${why}`
  const known = Object.keys((schema['properties'] ?? {}) as JsonObject)
  const near = nearest(key, known)
  if (near !== undefined) return `unknown key \`${key}\`: did you mean \`${near}\`?`
  const listed = known.length > 12 ? '' : `: the keys here are ${known.join(', ')}`
  return `unknown key \`${key}\`${listed}`
}

/** `kind` decides which keys there are; the schema is a `oneOf` of objects, told apart by it. */
function kindProblem(path: Path, schema: JsonObject, written: Json): Problem {
  const kinds = (schema['oneOf'] as readonly JsonObject[]).flatMap((one) => {
    const kind = ((one['properties'] as JsonObject)['kind'] as JsonObject)['const']
    return typeof kind === 'string' ? [kind] : []
  })
  const listed = kinds.map((kind) => `\`${kind}\``).join(', ')
  const value = atPath(written, [...path, 'kind'])
  if (value === undefined) return keyProblem(path, `\`kind\` is missing: one of ${listed}`)
  const near = typeof value === 'string' ? nearest(value, kinds) : undefined
  const hint = near === undefined ? '' : `: did you mean \`${near}\`?`
  return valueProblem([...path, 'kind'], `must be one of ${listed}, not ${shown(value)}${hint}`)
}

function noteOf(schema: JsonObject, keyword: string, key: string): string | undefined {
  const notes = schema[keyword]
  const note = isJsonObject(notes) && Object.hasOwn(notes, key) ? notes[key] : undefined
  return typeof note === 'string' ? note : undefined
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'a mapping',
  null: 'nothing',
}

/** The noun phrase for what the schema takes. */
export function expected(schema: JsonObject): string {
  if (typeof schema['x-expects'] === 'string') return schema['x-expects']
  const types = [schema['type'] ?? []].flat() as readonly string[]
  return types.map((type) => TYPE_NAMES[type] ?? type).join(' or ')
}

function shown(value: Json): string {
  if (Array.isArray(value)) return 'a list'
  if (isJsonObject(value)) return 'a mapping'
  if (value === null) return 'empty'
  // A mistyped URL may hold a password.
  const text = JSON.stringify(value).replace(/:[^:@/]+@/, ':…@')
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text
}
