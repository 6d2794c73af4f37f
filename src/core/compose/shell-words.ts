/**
 * The words of a command written as one string, split as Compose (and a POSIX shell) splits it: white
 * space separates, quotes and backslashes keep together; nothing is expanded. Undefined where a quote
 * is not closed.
 */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote: '"' | "'" | undefined
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at)
    const next = text.charAt(at + 1)
    if (quote === "'") {
      if (character === "'") quote = undefined
      else word = (word ?? '') + character
    } else if (
      character === '\\' &&
      (quote === undefined || '"\\$`'.includes(next)) &&
      next !== ''
    ) {
      word = (word ?? '') + next
      at += 1
    } else if (quote === '"') {
      if (character === '"') quote = undefined
      else word = (word ?? '') + character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== undefined) return undefined
  if (word !== undefined) words.push(word)
  return words
}

/** Whether a command's line names nothing to run: no word, or, as the Engine API has it, an empty one alone. */
export function saysNothing(words: readonly string[]): boolean {
  return words.length === 0 || (words.length === 1 && words[0] === '')
}
