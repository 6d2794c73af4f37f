import { DatabaseError } from 'pg'
import { errorMessage, Rejected, Unavailable } from '../../../src/core/errors.ts'

/** SQLSTATEs, postgresql.org/docs/current/errcodes-appendix.html; the first two characters are the class. */
const SERIALIZATION = '40001'
const DEADLOCK = '40P01'
const FOREIGN_KEY = '23503'
const UNIQUE = '23505'
const READ_ONLY = '25006'
const CANCELED = '57014'
const DAMAGED: ReadonlySet<string> = new Set(['XX001', 'XX002'])
/**
 * What is wrong with the statement or its values, and will be again: features, data, rows, syntax,
 * rights, and what is too large (a key that fits into no index).
 */
const REFUSED: ReadonlySet<string> = new Set(['0A', '21', '22', '23', '2F', '42', '44', '54'])
/** Nobody is let in like this: authorization, an unknown database. */
const NOT_LET_IN: ReadonlySet<string> = new Set(['28', '3D'])

/**
 * The error of a call to the database as the store's callers know it: `Rejected` where the statement
 * itself is refused. Everything else may pass (lost connections, timeouts, shutdowns, a database that
 * is read-only or full, a password that is being changed) and is `Unavailable`.
 */
export function storeError(error: unknown): Rejected | Unavailable {
  const state = sqlState(error) ?? ''
  if (DAMAGED.has(state)) {
    return new Rejected('store-damaged', `the database is damaged: ${errorMessage(error)}`, error)
  }
  if (REFUSED.has(state.slice(0, 2))) {
    const why = state.startsWith('23') ? 'a row that contradicts another' : 'a statement'
    return new Rejected('store-refused', `the store refused ${why}: ${errorMessage(error)}`, error)
  }
  return new Unavailable(
    'store-unavailable',
    `the store does not answer: ${errorMessage(error)}`,
    error,
  )
}

/** While opening, being let in by nobody is a mistake in the configuration. */
export function openingError(error: unknown): unknown {
  if (!(error instanceof Unavailable)) return error
  const state = causeState(error) ?? ''
  if (!NOT_LET_IN.has(state.slice(0, 2))) return error
  return new Rejected(
    'store-login',
    `the database lets nobody in like this: ${errorMessage(error.cause)}`,
    error.cause,
  )
}

/**
 * The error of a COMMIT. Where its answer was lost it may have been made: `commit-unknown`. The same
 * call again finds out.
 */
export function commitError(error: unknown): Rejected | Unavailable {
  const known = storeError(error)
  if (leavesConnection(known)) return known
  return new Unavailable(
    'commit-unknown',
    `whether the store has committed is not known: ${errorMessage(error)}`,
    error,
  )
}

/**
 * Whether the whole transaction may succeed when run again at once: it was in the way of another. Two
 * that insert the same row, or one that removes what the other refers to, see each other only then.
 */
export function isWorthAnotherTry(known: unknown): boolean {
  const state = causeState(known)
  return [SERIALIZATION, DEADLOCK, FOREIGN_KEY, UNIQUE].some((other) => other === state)
}

/**
 * Whether the connection can be used after a ROLLBACK. Not where it was lost, nor where the server says
 * that it only reads: after a failover the connection may lead to what is a standby now.
 */
export function leavesConnection(known: unknown): boolean {
  if (!(known instanceof Rejected || known instanceof Unavailable)) return true
  if (known instanceof Rejected && known.cause === undefined) return true
  const state = causeState(known)
  if (state === undefined || state === READ_ONLY) return false
  return state === CANCELED || !['08', '57', '58', 'XX'].includes(state.slice(0, 2))
}

function causeState(known: unknown): string | undefined {
  return known instanceof Error ? sqlState(known.cause) : undefined
}

function sqlState(error: unknown): string | undefined {
  if (!(error instanceof DatabaseError)) return undefined
  return error.code
}
