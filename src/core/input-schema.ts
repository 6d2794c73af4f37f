import type { ErrorObject, ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { errorMessage, Rejected } from './errors.ts'
import { canonicalJson, isJsonObject } from './json.ts'
import type { Json, JsonObject } from './json.ts'

/** One way in which a value breaks a schema: where, as a JSON Pointer into the value, and a sentence. */
export interface SchemaProblem {
  readonly pointer: string
  readonly message: string
}

/** Every way in which an input breaks its schema, at most 100 of them; never changes the input. */
export type InputValidator = (input: unknown) => readonly SchemaProblem[]

/** Validators kept at hand: compiling one takes milliseconds. */
const KEPT = 200
/** An input of a thousand bad items is described well enough by the first of them. */
const MOST_PROBLEMS = 100

const kept = new Map<string, InputValidator>()

/** The validator of a JSON Schema (2020-12, formats checked). Throws `Rejected` where the schema is wrong. */
export function inputValidator(schema: JsonObject): InputValidator {
  const key = canonicalJson(schema)
  const known = kept.get(key)
  if (known !== undefined) {
    kept.delete(key)
    kept.set(key, known)
    return known
  }
  const validate = compile(schema)
  const made: InputValidator = (input) =>
    validate(input) ? [] : (validate.errors ?? []).slice(0, MOST_PROBLEMS).map(problemOf)
  const oldest = kept.size >= KEPT ? kept.keys().next().value : undefined
  if (oldest !== undefined) kept.delete(oldest)
  kept.set(key, made)
  return made
}

/** What is wrong with a schema itself, with pointers into the schema; empty: it can be used. */
export function schemaProblems(schema: JsonObject): readonly SchemaProblem[] {
  const ajv = newAjv()
  if (ajv.validateSchema(schema) !== true) {
    const seen = new Set<string>()
    return (ajv.errors ?? []).map(problemOf).filter(({ pointer }) => {
      if (seen.has(pointer)) return false
      return seen.add(pointer)
    })
  }
  try {
    inputValidator(schema)
    return []
  } catch (error) {
    return [{ pointer: culprit(schema) ?? '', message: errorMessage(error) }]
  }
}

/** What the compiler stumbles over without saying where: a pattern that is no regular expression. */
function culprit(value: Json, pointer = ''): string | undefined {
  const members: readonly (readonly [string, Json])[] = Array.isArray(value)
    ? value.map((item: Json, i) => [String(i), item] as const)
    : Object.entries(isJsonObject(value) ? value : {})
  for (const [key, member] of members) {
    const place = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (key === 'pattern' && typeof member === 'string' && !isPattern(member)) return place
    if (key === 'patternProperties' && isJsonObject(member)) {
      const bad = Object.keys(member).find((pattern) => !isPattern(pattern))
      if (bad !== undefined) return place
    }
    const within = culprit(member, place)
    if (within !== undefined) return within
  }
  return undefined
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u')
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

function compile(schema: JsonObject): ValidateFunction {
  try {
    return newAjv().compile(schema)
  } catch (error) {
    throw new Rejected('input-schema', errorMessage(error), error)
  }
}

/** One for each schema: two schemas may bear one `$id`, which a shared one would refuse. */
function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ allErrors: true, strict: false, logger: false })
  addFormats.default(ajv)
  return ajv
}

function problemOf(error: ErrorObject): SchemaProblem {
  const params = error.params as Readonly<Record<string, unknown>>
  const message = error.message ?? 'does not fit'
  switch (error.keyword) {
    case 'additionalProperties':
      return at(error, `must not have the property '${String(params['additionalProperty'])}'`)
    case 'unevaluatedProperties':
      return at(error, `must not have the property '${String(params['unevaluatedProperty'])}'`)
    case 'enum':
      return at(error, `${message}: ${JSON.stringify(params['allowedValues'])}`)
    case 'const':
      return at(error, `must be ${JSON.stringify(params['allowedValue'])}`)
    default:
      return at(error, message)
  }
}

function at(error: ErrorObject, message: string): SchemaProblem {
  return { pointer: error.instancePath, message }
}
