import { isJsonObject } from '../core/json.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { Schema } from './schema.ts'

/** Keywords whose members are schemas by name, and those that are schemas themselves. */
const MAPS = ['properties', 'patternProperties']
const SINGLE = ['additionalProperties', 'items', 'propertyNames']
const LISTS = ['oneOf']

/**
 * A schema as editors want it: our own keywords left out, and, where variables are filled in, a
 * string with a `$` let through wherever a number, a boolean or a pattern is asked for.
 */
export function editorSchema(
  schema: Schema,
  head: { readonly title: string; readonly variables: boolean },
): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: head.title,
    ...convert(schema, head.variables),
  }
}

function convert(schema: Schema, variables: boolean): Schema {
  const kept = Object.entries(schema).flatMap(([keyword, value]): [string, Json][] => {
    if (keyword.startsWith('x-') || keyword === 'discriminator') return []
    return [[keyword, convertMember(keyword, value, variables)]]
  })
  return variables ? withVariables(Object.fromEntries(kept)) : Object.fromEntries(kept)
}

function convertMember(keyword: string, value: Json, variables: boolean): Json {
  if (MAPS.includes(keyword) && isJsonObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, convert(one as Schema, variables)]),
    )
  }
  if (LISTS.includes(keyword) && Array.isArray(value)) {
    return value.map((one: Json) => convert(one as Schema, variables))
  }
  // The names of keys are not filled in.
  const single = SINGLE.includes(keyword) && isJsonObject(value)
  return single ? convert(value, variables && keyword !== 'propertyNames') : value
}

function withVariables(schema: JsonObject): Schema {
  const types = [schema['type'] ?? []].flat() as readonly string[]
  const { pattern } = schema
  if (typeof pattern === 'string') return { ...schema, pattern: `(?:${pattern})|\\$` }
  const plain = types.some((type) => ['integer', 'number', 'boolean'].includes(type))
  if (!plain || types.includes('string')) return schema
  return { ...schema, type: [...types, 'string'], pattern: '\\$' }
}
