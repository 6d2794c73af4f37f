import { Rejected, Unavailable } from '../../../src/core/errors.ts'

/** SQLite's result codes (sqlite.org/rescode.html); the low byte of an extended code is the primary one. */
const BUSY = 5
const CORRUPT = 11
const CONSTRAINT = 19
const NOT_A_DATABASE = 26
/** What may pass: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL. */
const PASSING: ReadonlySet<number> = new Set([BUSY, 6, 7, 8, 9, 10, 13, 14, 15])

/** The error of an SQLite call as the store's callers know it; anything else stays what it is. */
export function storeError(error: unknown): unknown {
  const code = primaryCode(error)
  if (code === undefined || !(error instanceof Error)) return error
  if (PASSING.has(code)) {
    return new Unavailable(
      'store-unavailable',
      `the store does not answer: ${error.message}`,
      error,
    )
  }
  if (code === CORRUPT || code === NOT_A_DATABASE) {
    return new Rejected('store-damaged', `the store's file is damaged: ${error.message}`, error)
  }
  const why = code === CONSTRAINT ? 'a row that contradicts another' : 'a statement'
  return new Rejected('store-refused', `the store refused ${why}: ${error.message}`, error)
}

export function isHeldByAnother(error: unknown): boolean {
  return primaryCode(error) === BUSY
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}
