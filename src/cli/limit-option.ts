import { Rejected } from '../core/errors.ts'

/** How much of a list is shown. */
export const LIMIT_OPTION = {
  type: 'string',
  default: '50',
  requiresArg: true,
  describe: 'How many at most',
  coerce: (text: string): number => wholeNumber('--limit', text),
} as const

export function moreNote(limit: number): string {
  return `Only the newest ${limit} are shown; --limit ${10 * limit} shows more.`
}

/** A number from 1. `Rejected` (`usage`) for anything else. */
export function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Rejected('usage', `${name} is a whole number from 1: not ${text}`)
}
