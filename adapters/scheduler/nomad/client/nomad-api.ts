import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { errors } from 'undici'
import { Unavailable, errorMessage } from '../../../../src/core/errors.ts'
import type { Json } from '../../../../src/core/json.ts'
import { Connections, type Purpose } from './connections.ts'
import type { NomadTarget } from './target.ts'
import { Token } from './token.ts'

/** An answer of Nomad, whatever its status. */
export interface Answer {
  readonly status: number
  /** Errors are plain text, whatever their content type says. */
  readonly body: unknown
  /** The raft index that a read is of; 0 where there is none. */
  readonly index: number
  /** Where the next page of a list begins. */
  readonly nextToken?: string
}

export type Query = Readonly<Record<string, string | number | boolean | readonly string[]>>

/**
 * Nomad's HTTP API as plain calls, each in the configured namespace and region. A status is a value,
 * for most mean something to somebody; what brings no whole answer (nobody there, an agent that was
 * killed in the middle, an aborted signal) is `Unavailable`.
 */
export interface NomadApi extends AsyncDisposable {
  readonly namespace: string
  /** Where one was asked for; else the agent's own is meant. */
  readonly region?: string

  call(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    options: { readonly signal: AbortSignal; readonly query?: Query; readonly body?: Json },
  ): Promise<Answer>

  /** `GET` of an object or a list. Any status but 200 is `Unavailable`. */
  read<T extends object>(path: string, signal: AbortSignal, query?: Query): Promise<T>

  /** `GET` of one object: undefined where Nomad answers 404. */
  find<T extends object>(path: string, signal: AbortSignal, query?: Query): Promise<T | undefined>

  /** A list page by page. The pages are of different moments; what was there all along is in one of them. */
  list<T>(path: string, signal: AbortSignal, query?: Query): Promise<readonly T[]>

  /**
   * Resolves once the answer has begun; undefined for 404. The caller reads it to its end or leaves it.
   * `Unavailable` where nothing comes for `silenceMs`.
   */
  stream(
    path: string,
    options: {
      readonly signal: AbortSignal
      readonly query: Query
      readonly purpose: Purpose
      readonly silenceMs: number
    },
  ): Promise<AsyncIterable<Buffer> | undefined>
}

const PAGE = 500

export function nomadApi(target: NomadTarget): NomadApi {
  const connections = new Connections(target)
  const token = new Token(target.token)

  async function request(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    options: {
      readonly signal: AbortSignal
      readonly query?: Query
      readonly body?: Json
      readonly purpose?: Purpose
      readonly silenceMs?: number
    },
  ) {
    const { signal, query = {}, body, purpose = 'calls', silenceMs } = options
    try {
      signal.throwIfAborted()
      const secret = await token.read()
      return await connections.of(purpose).request({
        method,
        path: `${target.basePath}${path}?${searchOf(target, query)}`,
        signal,
        headers: {
          ...(secret !== undefined && { 'x-nomad-token': secret }),
          ...(target.basicAuth !== undefined && {
            authorization: `Basic ${Buffer.from(target.basicAuth).toString('base64')}`,
          }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(silenceMs !== undefined && { headersTimeout: silenceMs, bodyTimeout: silenceMs }),
      })
    } catch (error) {
      throw noAnswer(error, signal)
    }
  }

  const call: NomadApi['call'] = async (method, path, options) => {
    const { statusCode, headers, body } = await request(method, path, options)
    return answerOf(statusCode, headers, await textOf(body, options.signal))
  }

  async function get(path: string, signal: AbortSignal, query: Query): Promise<Answer | undefined> {
    const answer = await call('GET', path, { signal, query })
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refusal(`GET ${path}`, answer)
    if (typeof answer.body === 'object' && answer.body !== null) return answer
    throw new Unavailable('nomad', `GET ${path}: no JSON came, but ${messageIn(answer.body)}`)
  }

  async function whole(path: string, signal: AbortSignal, query: Query): Promise<Answer> {
    const answer = await get(path, signal, query)
    if (answer === undefined) throw new Unavailable('nomad', `GET ${path}: 404`)
    return answer
  }

  return {
    namespace: target.namespace,
    ...(target.region !== undefined && { region: target.region }),
    call,
    async find<T extends object>(path: string, signal: AbortSignal, query: Query = {}) {
      return (await get(path, signal, query))?.body as T | undefined
    },
    async read<T extends object>(path: string, signal: AbortSignal, query: Query = {}) {
      return (await whole(path, signal, query)).body as T
    },
    async list<T>(path: string, signal: AbortSignal, query: Query = {}) {
      const found: T[] = []
      let from: Query = {}
      for (;;) {
        const paged = { ...query, per_page: PAGE, ...from }
        const { body, nextToken } = await whole(path, signal, paged)
        for (const one of body as readonly T[]) found.push(one)
        if (nextToken === undefined) return found
        from = { next_token: nextToken }
      }
    },
    async stream(path, options) {
      const { statusCode, headers, body } = await request('GET', path, options)
      if (statusCode === 200) return chunksOf(body, options.signal)
      const answer = answerOf(statusCode, headers, await textOf(body, options.signal))
      if (answer.status === 404) return undefined
      throw refusal(`GET ${path}`, answer)
    },
    async [Symbol.asyncDispose]() {
      await connections.destroy()
    },
  }
}

/** The code of what is thrown where the token may not. */
export const DENIED = 'nomad-denied'

/** An answer that nothing can be done about now. */
export function refusal(what: string, { status, body }: Answer): Unavailable {
  const code = status === 401 || status === 403 ? DENIED : 'nomad'
  return new Unavailable(code, `${what}: ${status} ${messageIn(body)}`)
}

/** Nomad's own words. */
export function messageIn(body: unknown): string {
  return typeof body === 'string' ? body.trim() : JSON.stringify(body ?? '')
}

/** Namespace and region are taken from the query alone (command/agent/http.go, parseNamespace). */
function searchOf({ namespace, region }: NomadTarget, query: Query): string {
  const search = new URLSearchParams({ namespace, ...(region !== undefined && { region }) })
  for (const [name, value] of Object.entries(query)) {
    for (const one of typeof value === 'object' ? value : [value]) search.append(name, String(one))
  }
  return search.toString()
}

function answerOf(status: number, headers: IncomingHttpHeaders, text: string): Answer {
  const nextToken = String(headers['x-nomad-nexttoken'] ?? '')
  return {
    status,
    body: parsed(text),
    index: Number(headers['x-nomad-index'] ?? 0),
    ...(nextToken !== '' && { nextToken }),
  }
}

function parsed(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

async function textOf(body: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of chunksOf(body, signal)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function* chunksOf(
  body: Readable,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of body) yield chunk as Buffer
  } catch (error) {
    throw noAnswer(error, signal)
  }
}

function noAnswer(error: unknown, signal: AbortSignal): Unavailable {
  if (error instanceof Unavailable) return error
  if (signal.aborted) {
    return new Unavailable('aborted', 'the call was given up', signal.reason)
  }
  if (error instanceof errors.HTTPParserError && error.message.includes('HTTP version')) {
    // Nomad 1.11.2, 1.10.8+ent and 1.8.20+ent begin the stream's answer with HTTP/0.0 (#27582).
    const message = 'the answer is not HTTP: Nomad 1.11.2 answers so (#27582), later ones do not'
    return new Unavailable('nomad', message, error)
  }
  // What failed at each of a name's addresses comes together, without words of its own.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  return new Unavailable('nomad', `Nomad: ${errorMessage(first)}`, error)
}
