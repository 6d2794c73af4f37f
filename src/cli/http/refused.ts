import { Rejected, Unavailable } from '../../core/errors.ts'
import { isJsonObject } from '../../core/json.ts'
import type { Problem } from '../../http/problem.ts'
import { jsonIn } from './json-in.ts'
import type { Connection } from './connection.ts'

/** The daemon said no. `status` is HTTP's; the message is for people and names every mistake. */
export class Refused extends Rejected {
  readonly status: number
  constructor(status: number, code: string, message: string) {
    super(code, message)
    this.status = status
  }
}

/** What an answer other than 2xx means: `Refused`, or `Unavailable` where it is no daemon's. */
export function refusal(
  connection: Connection,
  answer: {
    readonly status: number
    readonly statusText: string
    readonly location: string | undefined
    readonly body: string
  },
): Refused | Unavailable {
  const problem = problemIn(answer.body)
  if (problem !== undefined) {
    const words = wordsOf(problem)
    const more = answer.status === 401 ? `\n${tokenHint(connection)}` : ''
    return new Refused(answer.status, problem.code, `${words}${more}`)
  }
  if (answer.location !== undefined) {
    return noDaemon(connection, `it points to ${answer.location}: is that the right --url?`)
  }
  return noDaemon(connection, `HTTP ${answer.status} ${answer.statusText}`.trimEnd())
}

/** Somebody answers, but not as the daemon does. */
export function noDaemon({ url }: Connection, what: string): Unavailable {
  return new Unavailable('no-daemon', `what answers at ${url} is no Longhaul daemon: ${what}`)
}

function problemIn(body: string): Problem | undefined {
  const value = jsonIn(body)
  return isProblem(value) ? value : undefined
}

function isProblem(value: unknown): value is Problem {
  if (!isJsonObject(value)) return false
  const { code, detail, errors } = value
  return (
    typeof code === 'string' &&
    typeof detail === 'string' &&
    (errors === undefined || Array.isArray(errors))
  )
}

function wordsOf({ code, detail, errors = [] }: Problem): string {
  const [first] = errors
  if (first === undefined) return detail
  if (errors.length === 1 && first.pointer === '') return first.message
  const mistakes = errors.map(({ pointer, message }) => mistakeLine(pointer, message))
  return [code === 'invalid' ? 'this cannot be taken as it is:' : detail, ...mistakes].join('\n')
}

/** A mistake below the line that says whose it is; the pointer leads to where it is. */
export function mistakeLine(pointer: string, message: string): string {
  return `  ${pointer === '' ? '(the whole)' : pointer}: ${message}`
}

function tokenHint({ tokenFile }: Connection): string {
  return tokenFile === undefined
    ? 'Name the file that holds it with --token-file or LONGHAUL_TOKEN_FILE.'
    : `The token in ${tokenFile} is not the daemon’s.`
}
