import { Rejected } from '../../../../src/core/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { list, text } from '../../../../src/core/compose/reader.ts'

/** What of the swarm goes into a spec: names become ids, and fields depend on the engine's version. */
export interface SwarmFacts {
  /** The minor of the Engine API's version: 41 for 1.41. */
  readonly api: number
  /** The image as it is to run: resolved to a digest where a registry could say it. */
  readonly image: string
  readonly secretIds: ReadonlyMap<string, string>
  readonly configIds: ReadonlyMap<string, string>
}

/** The newest version whose fields are known here. */
export const NEWEST_API = 55

export function refused(key: string, why: string): Rejected {
  return new Rejected('swarm-spec', `${key}: ${why}`)
}

/** An object without what is undefined: the engine tells absent from null in places. */
export function present(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  )
}

/** As `present`, and undefined where nothing is left. */
export function presentOrNone(
  fields: Readonly<Record<string, Json | undefined>>,
): JsonObject | undefined {
  const found = present(fields)
  return Object.keys(found).length === 0 ? undefined : found
}

/** Compose's two ways of writing a mapping: `{ A: b }` and `[A=b]`. */
export function pairs(value: Json | undefined, key: string): Readonly<Record<string, string>> {
  if (isJsonObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, given]) => [name, text(given, `${key}.${name}`) ?? '']),
    )
  }
  return Object.fromEntries(
    list(value).map((line) => {
      const [name, ...rest] = (text(line, key) ?? '').split('=')
      return [name ?? '', rest.join('=')]
    }),
  )
}

/** A string or a list of them; undefined where there is none. */
export function texts(value: Json | undefined, key: string): readonly string[] | undefined {
  const found = list(value).map((item) => text(item, key) ?? '')
  return found.length === 0 ? undefined : found
}

export function flag(value: Json | undefined, key: string): boolean | undefined {
  if (value === undefined || value === null) return undefined
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw refused(key, 'must be true or false')
}

export function nanoseconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 1_000_000)
}
