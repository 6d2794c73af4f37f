import { Rejected } from '../errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../json.ts'
import { parseBytes } from './bytes.ts'
import { parseDuration } from './duration.ts'
import { shellWords } from './shell-words.ts'

/**
 * Reads the values of a document whose shape has been checked when it was loaded; what filling in a
 * variable has made of one since is checked here. Each says in its error where it stands.
 */

export const wrong = (path: string, message: string): Rejected =>
  new Rejected('definition', `${path}: ${message}`)

export function object(value: Json | undefined, path: string): JsonObject {
  if (value === undefined || value === null) return {}
  if (isJsonObject(value)) return value
  throw wrong(path, 'must be a mapping')
}

export function text(value: Json | undefined, path: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw wrong(path, 'must be a string')
}

export function number(value: Json | undefined, path: string): number | undefined {
  const found = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (found === undefined || found === null) return undefined
  if (typeof found === 'number' && Number.isFinite(found)) return found
  throw wrong(path, 'must be a number')
}

export function duration(value: Json | undefined, path: string): number | undefined {
  if (value === undefined || value === null) return undefined
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (ms !== undefined) return ms
  throw wrong(path, `${JSON.stringify(value)} is no duration: write 90s, 5m, 1h30m or 7d`)
}

export function bytes(value: Json | undefined, path: string): number | undefined {
  if (value === undefined || value === null) return undefined
  const found =
    typeof value === 'string' || typeof value === 'number' ? parseBytes(value) : undefined
  if (found !== undefined) return found
  throw wrong(path, `${JSON.stringify(value)} is no amount of bytes: write 512m or 2G`)
}

/** A file's mode: text is octal, as in a shell and as `0440` is read; a number is what it is. */
export function fileMode(value: Json | undefined, path: string): number | undefined {
  if (typeof value !== 'string') return number(value, path)
  if (/^0*[0-7]{1,4}$/.test(value)) return Number.parseInt(value, 8)
  throw wrong(path, `${JSON.stringify(value)} is no mode: write it in octal, as 0440`)
}

export function words(value: Json | undefined, path: string): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) {
    return value.map((item: Json, i) => text(item, `${path}[${i}]`) ?? '')
  }
  const split = typeof value === 'string' ? shellWords(value) : undefined
  if (split !== undefined) return split
  throw wrong(path, 'must be a list, or a string whose quotes are closed')
}

export function list(value: Json | undefined): readonly Json[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? (value as readonly Json[]) : [value]
}
