import type { Json, JsonObject } from '../json.ts'

/** The keys of a mapping that the schema leaves free beside these, which say something: neither null nor `x-…`. */
export function unread(options: JsonObject, keys: readonly string[]): readonly string[] {
  return Object.keys(options).filter(
    (key) => options[key] !== null && !keys.includes(key) && !key.startsWith('x-'),
  )
}

/** False, empty: it asks for nothing. */
export function asksNothing(value: Json): boolean {
  if (value === null || value === false || value === 'false' || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
