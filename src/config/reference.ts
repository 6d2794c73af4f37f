import { isJsonObject } from '../core/json.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { expected } from './schema-check.ts'
import type { Schema } from './schema.ts'

/** The reference of every key of a schema, as Markdown: a table for each mapping, from the outside in. */
export function reference(schema: Schema, title: string): string {
  const parts = [`## ${title}`, sentence(schema), table(rowsOf(schema)), refused(schema)]
  const nested = Object.entries(propertiesOf(schema)).flatMap(([key, value]) => {
    const inner = mappingIn(value)
    if (inner === undefined) return []
    return [reference(inner.schema, `${nestedTitle(title, key)}${inner.suffix}`)]
  })
  return [...parts.filter((part) => part !== ''), ...nested].join('\n\n')
}

function nestedTitle(title: string, key: string): string {
  // The service is what its readers think of as the outermost: paths begin there.
  if (key === 'services') return 'The service'
  const outer = title.startsWith('The ') ? '' : `${title.replaceAll('`', '')}.`
  return `\`${outer}${key}\``
}

/** The mapping of known keys that the schema is, or that its items or values are. */
function mappingIn(
  schema: Schema,
): { readonly schema: Schema; readonly suffix: string } | undefined {
  if (isJsonObject(schema['properties'])) return { schema, suffix: '' }
  const { items, additionalProperties } = schema
  if (isJsonObject(items) && isJsonObject(items['properties'])) {
    return { schema: items, suffix: ': each item' }
  }
  if (isJsonObject(additionalProperties) && isJsonObject(additionalProperties['properties'])) {
    const named = additionalProperties['x-refused'] === undefined ? ': each value' : ''
    return { schema: additionalProperties, suffix: named }
  }
  return undefined
}

type Row = readonly string[]

function rowsOf(schema: Schema): readonly Row[] {
  const required = (schema['required'] ?? []) as readonly string[]
  const rows = Object.entries(propertiesOf(schema)).map(([key, value]) => [
    `\`${key}\``,
    typeOf(value),
    required.includes(key) ? 'needed' : defaultOf(value),
    sentence(value),
  ])
  return [['key', 'type', 'default', 'what it does'], ...rows]
}

function propertiesOf(schema: Schema): Readonly<Record<string, Schema>> {
  return (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>
}

function typeOf(schema: Schema): string {
  if (schema['x-duration'] !== undefined) return 'duration'
  if (schema['x-bytes'] !== undefined) return 'size'
  if (schema['x-pointer'] !== undefined) return 'JSON Pointer'
  const values = schema['enum']
  if (Array.isArray(values)) return values.map((value: Json) => `\`${value as string}\``).join(', ')
  if (schema['x-expects'] !== undefined) return expected(schema).replace(/^(a|an) /, '')
  const items = schema['items']
  if (isJsonObject(items) && items['type'] === 'string') return 'list of strings'
  return expected(schema).replaceAll(/\ban? /g, '')
}

function defaultOf(schema: Schema): string {
  const value = schema['default']
  if (value === undefined) return ''
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

function sentence(schema: JsonObject): string {
  return typeof schema['description'] === 'string' ? schema['description'] : ''
}

function refused(schema: Schema): string {
  const notes = schema['x-refused']
  if (!isJsonObject(notes)) return ''
  const rows = Object.entries(notes).map(([key, why]) => [`\`${key}\``, why as string])
  return `Keys of Compose that are refused here, and why:\n\n${table([['key', 'why'], ...rows])}`
}

/** Aligned, as the formatter would have it. */
function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = (cells[0] ?? []).map((_, i) =>
    Math.max(3, ...cells.map((row) => (row[i] ?? '').length)),
  )
  const line = (row: Row) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = cells
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')
}
