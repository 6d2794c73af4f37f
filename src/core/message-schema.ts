import { atPointer, isJsonObject, type Json, type JsonObject } from './json.ts'
import { COMMAND_BODIES, EVENT_BODIES } from './messages.ts'

/**
 * Messages as JSON Schemas of the whole body, `$name` and `$version` included: what a message is
 * checked against that was taken off the bus.
 */
export function messageSchema(name: string, body: JsonObject): JsonObject {
  const { properties, required, ...rest } = body as {
    readonly properties?: JsonObject
    readonly required?: readonly Json[]
  }
  return {
    ...rest,
    type: 'object',
    required: ['$name', ...(required ?? [])],
    properties: { $name: { const: name }, $version: VERSION, ...properties },
  }
}

const VERSION: JsonObject = { type: 'integer' }

/** Every message of the daemon's own, `longhaul/…`. */
export const OWN_MESSAGES: Readonly<Record<string, JsonObject>> = Object.fromEntries(
  Object.entries({ ...COMMAND_BODIES, ...EVENT_BODIES }).map(([name, body]) => [
    name,
    messageSchema(name, asJson(body)),
  ]),
)

/** The schema that is published as a file: a message of any name, each described under `$defs`. */
export function messagesSchema(): JsonObject {
  const places = Object.keys(OWN_MESSAGES).map((name) => ({
    $ref: `#/$defs/${name.replaceAll('/', '~1')}`,
  }))
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'The messages of Longhaul',
    description: 'The commands that the daemon takes and the events that it sends.',
    oneOf: places,
    $defs: OWN_MESSAGES,
  }
}

/** TypeBox's symbols left out: what JSON keeps of it. */
function asJson(schema: object): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject
}

/**
 * The schema of an input as one of the whole command, which bears `$name` and `$version` beside it: a
 * schema that allows no further properties would refuse those two.
 */
export function commandSchema(name: string, input: JsonObject): JsonObject {
  const envelope = { $name: { const: name }, $version: VERSION }
  const places = inPlace(input)
  const schema = mapped(input, '', (value, pointer) =>
    places.has(pointer) && isJsonObject(value) ? admitting(value, envelope) : value,
  ) as JsonObject
  const { properties, required } = schema
  return {
    ...schema,
    type: 'object',
    required: ['$name', ...(Array.isArray(required) ? (required as readonly Json[]) : [])],
    properties: { ...envelope, ...(isJsonObject(properties) && properties) },
  }
}

const BOUNDS = ['additionalProperties', 'unevaluatedProperties'] as const

function admitting(schema: JsonObject, envelope: JsonObject): JsonObject {
  const { properties, propertyNames, maxProperties } = schema
  return {
    ...schema,
    ...(BOUNDS.some((keyword) => keyword in schema) && {
      properties: { ...envelope, ...(isJsonObject(properties) && properties) },
    }),
    ...(propertyNames !== undefined && {
      propertyNames: { anyOf: [{ enum: Object.keys(envelope) }, propertyNames] },
    }),
    ...(typeof maxProperties === 'number' && {
      maxProperties: maxProperties + Object.keys(envelope).length,
    }),
  }
}

/** The pointers of all subschemas that are applied to the same value as the schema itself. */
function inPlace(schema: JsonObject): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (pointer: string): void => {
    const value = atPointer(schema, pointer)
    if (found.has(pointer) || !isJsonObject(value)) return
    found.add(pointer)
    for (const list of ['allOf', 'anyOf', 'oneOf', 'dependentSchemas']) {
      const members = value[list]
      if (typeof members !== 'object' || members === null) continue
      for (const key of Object.keys(members)) visit(`${pointer}/${list}/${escaped(key)}`)
    }
    for (const one of ['if', 'then', 'else', 'not']) visit(`${pointer}/${one}`)
    const target = value['$ref']
    if (typeof target === 'string' && target.startsWith('#')) {
      visit(decodeURIComponent(fragmentOf(schema, target)))
    }
  }
  visit('')
  return found
}

/**
 * A schema that is to stand in another document at `base`: what it refers to in itself is referred to
 * there. Its own `$id` and anchors are left out, for they would name other bases.
 */
export function movedTo(base: string, schema: JsonObject): JsonObject {
  const { $id, $schema: _, ...rest } = schema
  return mapped(rest, '', (value) => {
    if (!isJsonObject(value)) return value
    const { $ref, $anchor, ...others } = value
    const kept =
      typeof $anchor === 'string' || $anchor === undefined ? others : { ...others, $anchor }
    if (typeof $ref !== 'string') return $ref === undefined ? kept : { ...kept, $ref }
    const own =
      typeof $id === 'string' && $ref.startsWith(`${$id}#`) ? $ref.slice($id.length) : $ref
    return { ...kept, $ref: own.startsWith('#') ? `${base}${fragmentOf(schema, own)}` : own }
  }) as JsonObject
}

/** What stands behind the `#` of a reference, as a pointer also where it is the name of an anchor. */
function fragmentOf(schema: JsonObject, reference: string): string {
  const fragment = reference.slice(1)
  if (fragment === '' || fragment.startsWith('/')) return fragment
  let found = ''
  mapped(schema, '', (value, pointer) => {
    if (isJsonObject(value) && value['$anchor'] === fragment) found = pointer
    return value
  })
  return encodeURI(found)
}

/** Keywords that hold values, not schemas, and those whose members are schemas by name. */
const VALUES: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples', 'required'])
const MAPS: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  'dependentSchemas',
  '$defs',
  'definitions',
])

/** The document with every schema in it put through `change`, the innermost first. */
function mapped(
  value: Json,
  pointer: string,
  change: (value: Json, pointer: string) => Json,
  names = false,
): Json {
  if (Array.isArray(value)) {
    return value.map((item: Json, i) => mapped(item, `${pointer}/${i}`, change))
  }
  if (!isJsonObject(value)) return value
  const members = Object.entries(value).map(([key, member]): [string, Json] => [
    key,
    VALUES.has(key) && !names
      ? member
      : mapped(member, `${pointer}/${escaped(key)}`, change, MAPS.has(key) && !names),
  ])
  return names ? Object.fromEntries(members) : change(Object.fromEntries(members), pointer)
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
