/** JSON as data: what a message, an input or a definition may hold. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Canonical JSON after RFC 8785: members sorted by their UTF-16 code units, no white space.
 * Two inputs are the same input when their canonical texts are equal.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item)).join(',')}]`
  if (!isJsonObject(value)) return JSON.stringify(value)
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`)
  return `{${members.join(',')}}`
}

/** Whether arrays and objects stand in each other more than `levels` deep; does not recurse itself. */
export function nestedDeeperThan(value: Json, levels: number): boolean {
  let layer: readonly Json[] = [value]
  for (let depth = 0; depth <= levels; depth += 1) {
    layer = layer.flatMap((item): readonly Json[] => {
      if (Array.isArray(item)) return item as readonly Json[]
      return isJsonObject(item) ? Object.values(item) : []
    })
    if (layer.length === 0) return false
  }
  return true
}

/** The member of this name: a name that is written in a file may be `constructor`. */
export function member(object: JsonObject | undefined, name: string): Json | undefined {
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined
}

/** The value a JSON Pointer (RFC 6901) names, or undefined where there is none. */
export function atPointer(value: Json, pointer: string): Json | undefined {
  if (pointer === '') return value
  if (!pointer.startsWith('/')) return undefined
  let found: Json | undefined = value
  for (const token of pointer.slice(1).split('/')) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(found)) {
      found = /^(0|[1-9]\d*)$/.test(key) ? (found as readonly Json[])[Number(key)] : undefined
    } else if (isJsonObject(found)) found = member(found, key)
    else return undefined
  }
  return found
}
