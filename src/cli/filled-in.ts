import type { Json } from '../core/json.ts'
import { mapTexts, wordsIn } from './masks.ts'

/** A text of the definition as the scheduler was given it, and with masks for the values filled in. */
export interface FilledIn {
  readonly masked: string
  /** The values by their masks. */
  readonly values: ReadonlyMap<string, string>
}

/**
 * A document with the masks in the place of what is left as text of values that were filled in, in its
 * strings and in its keys. What reads as a size, a duration or a number is left, as it is found by
 * chance everywhere, but for that which is a key: that is a name.
 */
export function hideFilledIn(made: Json, filledIn: readonly FilledIn[]): Json {
  const masks = new Map<string, string>()
  const keys = keysOf(made)
  for (const [text, mask] of filledIn.flatMap(textsOf).flatMap(writtenBySchedulers)) {
    const calculated = CALCULATED.test(text) && !keys.has(text)
    if (text !== '' && !calculated && !masks.has(text)) masks.set(text, mask)
  }
  if (masks.size === 0) return made
  const longestFirst = [...masks.keys()].sort((a, b) => b.length - a.length)
  const any = new RegExp(longestFirst.map(bounded).join('|'), 'gu')
  const hide = (text: string) => text.replaceAll(any, (found) => masks.get(found) ?? found)
  return mapTexts(made, hide, hide)
}

/**
 * What may be found of the values, and the masks: each of them whole, its words, as a translation may
 * take it apart, and the words of the file that it is a part of (`SIG${NAME}`).
 */
function textsOf({ masked, values }: FilledIn): readonly (readonly [string, string])[] {
  const own = [...values].flatMap(([mask, value]) =>
    [value, ...wordsIn(value)].map((text) => [text, mask] as const),
  )
  const shared = wordsIn(masked).flatMap((word) => {
    const filled = [...values].reduce(
      (text, [mask, value]) => text.replaceAll(mask, () => value),
      word,
    )
    return filled === word ? [] : [filled, ...wordsIn(filled)].map((text) => [text, word] as const)
  })
  return [...own, ...shared]
}

/** A name of a signal is all capitals, and may be given what it begins with. */
function writtenBySchedulers([text, mask]: readonly [string, string]) {
  const upper = text.toUpperCase()
  return [
    [text, mask],
    [upper, mask],
    [text.toLowerCase(), mask],
    [`SIG${upper}`, `SIG${mask}`],
  ] as const
}

/** Nothing is found in the middle of a word; and what is no word at all, only where it is all there is. */
function bounded(text: string): string {
  const escaped = text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  if (!/[\p{L}\p{N}]/u.test(text)) return `^${escaped}$`
  const before = /^[\p{L}\p{N}_]/u.test(text) ? '(?<![\\p{L}\\p{N}_])' : ''
  const after = /[\p{L}\p{N}_]$/u.test(text) ? '(?![\\p{L}\\p{N}_])' : ''
  return `${before}${escaped}${after}`
}

function keysOf(value: Json): ReadonlySet<string> {
  const keys = new Set<string>()
  const same = (text: string) => text
  mapTexts(value, same, (key) => {
    for (const word of [key, ...wordsIn(key)]) keys.add(word)
    return key
  })
  return keys
}

/** Sizes, durations and numbers, of which anything may be calculated, and what is switched on or off. */
const CALCULATED = /^(-?\d+(\.\d+)?[a-z]*|(\d+(\.\d+)?(ns|us|ms|s|m|h|d))+|true|false)$/i
