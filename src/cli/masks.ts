import { isJsonObject, type Json } from '../core/json.ts'

/**
 * Words of our own that stand for a variable's value while a scheduler translates it, and of which it
 * makes nothing but text: letters and digits, as a name of anything may be, or an absolute path.
 */
export const MASKS = {
  word: (variable: number) => `longhaulmasked${variable}w`,
  path: (variable: number) => `/longhaulmasked${variable}p`,
} as const

/** A scheduler may write a name in other letters: a signal's is all capitals. */
const ANY = /\/longhaulmasked\d+p|longhaulmasked\d+w/gi

/** The words as `${NAME}`, and whose there were, in their order. */
export function unmasked<T extends Json>(
  value: T,
  names: readonly string[],
): { readonly value: T; readonly masked: readonly string[] } {
  const found = new Set<string>()
  // Keys have them as well; and a name of a variable has no sign that means something to JSON.
  const text = JSON.stringify(value).replaceAll(ANY, (word) => {
    const name = names[Number(/\d+/.exec(word)?.[0])] ?? ''
    found.add(name)
    return `\${${name}}`
  })
  return { value: JSON.parse(text) as T, masked: [...found] }
}

/** With the value of this variable in the place of its masks again. */
export function filledIn(made: Json, variable: number, value: string): Json {
  const fill = (text: string) =>
    text.replaceAll(ANY, (mask) => {
      if (Number(/\d+/.exec(mask)?.[0]) !== variable) return mask
      return mask === mask.toUpperCase() ? value.toUpperCase() : value
    })
  return mapTexts(made, fill, fill)
}

/** Whether one is the other but for what the words of the first stand for. */
export function isLike(made: Json, before: Json): boolean {
  if (typeof made === 'string') return typeof before === 'string' && patternOf(made).test(before)
  if (Array.isArray(made)) {
    const [items, others] = [made as readonly Json[], before as readonly Json[]]
    if (!Array.isArray(before) || items.length !== others.length) return false
    return items.every((item, i) => isLike(item, others[i] ?? null))
  }
  if (!isJsonObject(made)) return made === before
  if (!isJsonObject(before)) return false
  const left = new Map(Object.entries(before))
  return (
    Object.keys(made).length === left.size &&
    Object.entries(made).every(([key, member]) => {
      const other = left.has(key) ? key : [...left.keys()].find((k) => isLike(key, k))
      return other !== undefined && isLike(member, left.get(other) ?? null) && left.delete(other)
    })
  )
}

function patternOf(text: string): RegExp {
  const parts = text.split(ANY).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^]*')}$`)
}

/** Every string of a document, and its keys where that is asked for, as they are changed. */
export function mapTexts(
  value: Json,
  change: (text: string, path: readonly string[]) => string,
  changeKey: (key: string) => string = (key) => key,
  path: readonly string[] = [],
): Json {
  if (typeof value === 'string') return change(value, path)
  const within = (inner: Json, key: string) => mapTexts(inner, change, changeKey, [...path, key])
  if (Array.isArray(value)) return value.map((item: Json, i) => within(item, String(i)))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [changeKey(key), within(inner, key)]),
  )
}

export function wordsIn(text: string): readonly string[] {
  return text.match(/[\p{L}\p{M}\p{N}_.-]+/gu) ?? []
}
