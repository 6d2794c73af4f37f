import { STATUS_CODES } from 'node:http'
import Type, { type Static } from 'typebox'
import { LeaseLost, Rejected, Unavailable } from '../core/errors.ts'
import { ErrorDetail } from '../core/messages.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** Every error, after RFC 9457. `code` stays the same over releases; the sentences may change. */
export const Problem = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: Type.String({ description: "The status's name." }),
    status: Type.Integer(),
    code: Type.String({ description: 'What went wrong, for programs.' }),
    detail: Type.String({ description: 'What went wrong, for people.' }),
    errors: Type.Optional(
      Type.Array(ErrorDetail, {
        description:
          'Every mistake. Pointers lead into the request (code `request`) or into the input (all others).',
      }),
    ),
  },
  { description: 'What went wrong, after RFC 9457.' },
)
export type Problem = Static<typeof Problem>

export function problem(
  status: number,
  code: string,
  detail: string,
  errors?: readonly ErrorDetail[],
): Problem {
  const title = STATUS_CODES[status] ?? 'Error'
  return {
    type: 'about:blank',
    title,
    status,
    code,
    detail,
    ...(errors !== undefined && { errors: [...errors] }),
  }
}

/** What a 422 says; `errors` says the rest. */
export const MISTAKES = 'the request cannot be taken as it is: `errors` names every mistake'

/** Cursors and names that the port behind a call refuses are the caller's mistakes. */
const CALLERS_MISTAKES = new Set(['bad-cursor', 'unknown-message'])

/**
 * What a caller is told of whatever a handler threw. Undefined: it is none of the errors that are
 * thrown on purpose, and nothing of it is told.
 */
export function problemOfError(error: unknown): Problem | undefined {
  if (error instanceof Unavailable || error instanceof LeaseLost) {
    return problem(503, error.code, error.message)
  }
  if (error instanceof Rejected) {
    return problem(CALLERS_MISTAKES.has(error.code) ? 422 : 409, error.code, error.message)
  }
  return undefined
}
