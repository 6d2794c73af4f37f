import { isJsonObject } from '../core/json.ts'
import type { Json } from '../core/json.ts'

/** Where in a document: keys and the numbers of list items, from the root. */
export type Path = readonly string[]

/** One mistake in a document, before anybody knows where in a file it stands. */
export interface Problem {
  readonly path: Path
  /** Whether the path's last key is wrong (unknown, lacking something) or its value. */
  readonly at: 'key' | 'value'
  readonly message: string
}

export function valueProblem(path: Path, message: string): Problem {
  return { path, at: 'value', message }
}

export function keyProblem(path: Path, message: string): Problem {
  return { path, at: 'key', message }
}

/** What the document holds at the path, undefined where it holds nothing. */
export function atPath(document: Json, path: Path): Json | undefined {
  let found: Json | undefined = document
  for (const key of path) {
    if (Array.isArray(found)) found = (found as readonly Json[])[Number(key)]
    else if (isJsonObject(found) && Object.hasOwn(found, key)) found = found[key]
    else return undefined
  }
  return found
}

/** The document with another value at a path that it has. */
export function replaceAt(document: Json, path: Path, value: Json): Json {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (Array.isArray(document)) {
    return (document as readonly Json[]).map((item, i) =>
      String(i) === key ? replaceAt(item, rest, value) : item,
    )
  }
  if (!isJsonObject(document)) return document
  return { ...document, [key]: replaceAt(document[key] ?? null, rest, value) }
}

/** The tokens of a JSON Pointer. */
export function pathOfPointer(pointer: string): Path {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}
