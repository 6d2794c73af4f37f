import { Unavailable } from '../../core/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts'
import type { Connection } from './connection.ts'
import { jsonIn } from './json-in.ts'
import { noDaemon, refusal } from './refused.ts'

/** The daemon answers a call at once, or something is wrong. */
const LIMIT_MS = 30_000

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: Json
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/**
 * One call and its JSON, undefined where the answer is empty. `Refused` for a no, `Unavailable` where
 * nobody answers; an aborted signal throws its reason.
 */
export async function call(
  connection: Connection,
  { method, path, body, headers, signal }: Call,
): Promise<{ readonly status: number; readonly body: JsonObject | undefined }> {
  const limit = AbortSignal.timeout(LIMIT_MS)
  let response: Response
  let text: string
  try {
    response = await fetch(`${connection.url}${path}`, {
      method,
      headers: {
        ...headersFor(connection),
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      // A POST that is led elsewhere becomes a GET, and its answer is taken for something else.
      redirect: 'manual',
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    })
    text = await response.text()
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw unreachable(connection, error)
  }
  const { status, statusText } = response
  if (!response.ok) {
    const location = response.headers.get('location') ?? undefined
    throw refusal(connection, { status, statusText, location, body: text })
  }
  if (text === '') return { status, body: undefined }
  const value = jsonIn(text)
  if (!isJsonObject(value)) throw noDaemon(connection, 'its answer is not JSON')
  return { status, body: value }
}

export function headersFor({ token }: Connection): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

/** Nobody answered: says where, why and what to do. */
export function unreachable({ url }: Connection, error: unknown): Unavailable {
  const remedy = 'start one with `longhaul run`, or say where it is with --url or LONGHAUL_URL'
  return new Unavailable(
    'unreachable',
    `no daemon answers at ${url} (${causeOf(error)}): ${remedy}`,
    error,
  )
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection broke off',
  UND_ERR_SOCKET: 'the connection broke off',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the host’s name cannot be looked up now',
  EHOSTUNREACH: 'the host cannot be reached',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
}

/** fetch says only "fetch failed" and has the cause below it. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${LIMIT_MS / 1000} s`
  if ('code' in error && typeof error.code === 'string' && WORDS[error.code] !== undefined) {
    return WORDS[error.code] ?? error.code
  }
  return error.cause === undefined ? error.message : causeOf(error.cause)
}
