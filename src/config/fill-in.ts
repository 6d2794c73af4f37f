import { interpolate } from '../core/compose/interpolate.ts'
import type { Environment } from '../core/compose/interpolate.ts'
import { Rejected } from '../core/errors.ts'
import { isJsonObject } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { valueProblem } from './problem.ts'
import type { Path, Problem } from './problem.ts'

/** A document with its variables filled in; what cannot be filled in stays as it is written. */
export function fillIn(
  document: Json,
  env: Environment,
): { readonly document: Json; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const fill = (value: Json, path: Path): Json => {
    if (typeof value === 'string') {
      try {
        return interpolate(value, env)
      } catch (error) {
        if (!(error instanceof Rejected)) throw error
        problems.push(valueProblem(path, error.message))
        return value
      }
    }
    if (Array.isArray(value)) {
      return value.map((item: Json, i) => fill(item, [...path, String(i)]))
    }
    if (!isJsonObject(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, fill(member, [...path, key])]),
    )
  }
  return { document: fill(document, []), problems }
}
