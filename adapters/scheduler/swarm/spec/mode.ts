import { number } from '../../../../src/core/compose/reader.ts'
import type { Json } from '../../../../src/core/json.ts'

/** A file's mode: text is octal, as in a shell and as `0440` is read; a number is what it is. */
export function modeOf(value: Json | undefined, key: string): number | undefined {
  if (typeof value === 'string' && /^0*[0-7]{1,4}$/.test(value)) return Number.parseInt(value, 8)
  return number(value, key)
}
