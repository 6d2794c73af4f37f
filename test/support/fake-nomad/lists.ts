import { filterOf } from './filter.ts'

export interface Page<T> {
  readonly page: readonly T[]
  /** Where the next one begins. */
  readonly next?: string
}

/**
 * What a list's query leaves of the objects, in order of their tokens. A page begins with the object of its
 * token, or with the first one after it: what is gone meanwhile is passed over
 * (nomad/state/paginator).
 */
export function pageOf<T extends object>(
  objects: readonly T[],
  query: URLSearchParams,
  tokenOf: Token<T>,
): Page<T> {
  const filter = query.get('filter')
  const wanted = filter === null ? objects : objects.filter(filterOf(filter))
  const reverse = query.get('reverse') === 'true'
  const sorted = wanted.toSorted((a, b) => compare(tokenOf(a), tokenOf(b)) * (reverse ? -1 : 1))
  const token = query.get('next_token')
  const from = token === null ? 0 : sorted.findIndex((one) => isFrom(tokenOf(one), token, reverse))
  if (from < 0) return { page: [] }
  const size = Number(query.get('per_page') ?? sorted.length) || sorted.length
  const after = sorted[from + size]
  return {
    page: sorted.slice(from, from + size),
    ...(after !== undefined && { next: textOf(tokenOf(after)) }),
  }
}

export function newestFirst<T extends { readonly ModifyIndex: number }>(
  of: readonly T[],
): readonly T[] {
  return of.toSorted((a, b) => b.ModifyIndex - a.ModifyIndex)
}

type Parts = readonly (number | string)[]
export type Token<T> = (object: T) => Parts

function textOf(parts: Parts): string {
  return parts.join('.')
}

function isFrom(parts: Parts, token: string, reverse: boolean): boolean {
  const cut = token.indexOf('.')
  const wanted: Parts =
    parts.length === 1
      ? [token]
      : [
          typeof parts[0] === 'number' ? Number(token.slice(0, cut)) : token.slice(0, cut),
          token.slice(cut + 1),
        ]
  return compare(parts, wanted) * (reverse ? -1 : 1) >= 0
}

function compare(a: Parts, b: Parts): number {
  for (const [i, one] of a.entries()) {
    const other = b[i] ?? ''
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}
