import { asksNothing, unread } from '../../../../src/core/compose/unread.ts'
import { list, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { dotted, type Path, Unhonoured } from './unhonoured.ts'

/** An object without what is undefined. */
export function present(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  )
}

/** Compose's two ways of writing a mapping: `{ A: b }` and `[A=b]`. */
export function pairs(value: Json | undefined, path: Path): Readonly<Record<string, string>> {
  if (isJsonObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, given]) => [
        name,
        text(given, dotted([...path, name])) ?? '',
      ]),
    )
  }
  return Object.fromEntries(
    texts(value, path).map((line) => {
      const [name, ...rest] = line.split('=')
      return [name ?? '', rest.join('=')]
    }),
  )
}

/** A string or a list of them. */
export function texts(value: Json | undefined, path: Path): readonly string[] {
  return list(value).map((item, i) => text(item, dotted([...path, String(i)])) ?? '')
}

export function flag(value: Json | undefined, path: Path): boolean | undefined {
  if (value === undefined || value === null) return undefined
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw new Unhonoured(path, 'must be true or false')
}

/**
 * A mapping that the schema leaves free: what of it is not read is refused, for it would be lost without
 * a word. `why` has the keys of Compose's that cannot be honoured; one that asks for nothing may stand.
 */
export function onlyKnows(
  options: JsonObject,
  keys: readonly string[],
  path: Path,
  why: Readonly<Record<string, string>> = {},
): void {
  for (const key of unread(options, keys)) {
    const known = Object.hasOwn(why, key)
    if (known && asksNothing(options[key] ?? null)) continue
    throw new Unhonoured(
      [...path, key],
      (known ? why[key] : undefined) ?? 'Nomad has nothing of the kind',
    )
  }
}

export function nanoseconds(ms: number): number {
  return Math.round(ms * 1_000_000)
}
