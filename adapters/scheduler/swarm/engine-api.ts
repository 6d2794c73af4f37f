import { Agent, type IncomingMessage } from 'node:http'
import { inspect } from 'node:util'
import Docker from 'dockerode'
import { Unavailable, errorMessage } from '../../../src/core/errors.ts'
import type { Json } from '../../../src/core/json.ts'

/** An answer of the engine, whatever its status. */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

type Query = Readonly<Record<string, string | number | boolean>>

interface CallOptions {
  readonly signal: AbortSignal
  readonly query?: Query
  readonly body?: Json
  /** Goes into `X-Registry-Auth`. */
  readonly registryAuth?: string
}

/**
 * The Engine API as plain calls. An HTTP status is a value, for most mean something to somebody; what
 * brings no whole answer (no socket, an engine that was killed in the middle, an aborted signal) is
 * `Unavailable`.
 */
export interface EngineApi {
  call(method: 'GET' | 'POST' | 'DELETE', path: string, options: CallOptions): Promise<Answer>

  /** `GET` of a list or an object. Any status but 200 is `Unavailable`. */
  read<T>(path: string, signal: AbortSignal, query?: Query): Promise<T>

  /** `GET` of one object: undefined where the engine answers 404. */
  find<T>(path: string, signal: AbortSignal, query?: Query): Promise<T | undefined>

  /** Resolves once the engine has answered; undefined for 404. The caller reads it to its end or leaves it. */
  stream(
    path: string,
    signal: AbortSignal,
    query?: Query,
  ): Promise<AsyncIterable<Buffer> | undefined>
}

/** What is used of dockerode's modem, which types it as `any`. */
interface Modem {
  dial(
    options: Readonly<Record<string, unknown>>,
    answer: (error: Error | null, response: IncomingMessage) => void,
  ): void
}

/**
 * The modem writes out all of each request for its log, and does so where there is none (docker-modem
 * lib/modem.js, buildRequest): with every connection that an agent holds that took 10 ms and more.
 */
class TerseAgent extends Agent {
  [inspect.custom](): string {
    return 'Agent'
  }
}

/** Every status is handed on: the modem would turn it into an error without a class. */
const ANY_STATUS = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [i + 100, true]))

/**
 * Over dockerode, by the socket alone: its other settings would come from `DOCKER_HOST` and its kin in
 * the environment, and win. No API version in the paths: the engine's newest is spoken.
 */
export function engineApi(socket: string): EngineApi {
  // A connection that was kept may be closed by the engine just as it is used again.
  const agent = new TerseAgent({ keepAlive: false })
  const docker = new Docker({
    socketPath: socket,
    host: undefined,
    port: undefined,
    protocol: 'http',
    timeout: undefined,
    agent,
  } as Docker.DockerOptions)
  const modem = docker.modem as unknown as Modem

  const request: typeof dial = async (...args) => {
    try {
      return await dial(...args)
    } catch (error) {
      throw noAnswer(error)
    }
  }

  /**
   * Always as a stream: for a whole body the modem waits for an end that never comes where the engine
   * dies in the middle of it.
   */
  function dial(method: string, path: string, options: CallOptions): Promise<IncomingMessage> {
    const { signal, query, body, registryAuth } = options
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const search = new URLSearchParams(
        Object.entries(query ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
      ).toString()
      modem.dial(
        {
          // The modem cuts the last character off a path with a question mark and no options.
          path: search === '' ? path : `${path}?${search}&`,
          method,
          ...(body !== undefined && { options: { _body: body } }),
          ...(registryAuth !== undefined && { authconfig: { base64: registryAuth } }),
          abortSignal: signal,
          isStream: true,
          statusCodes: ANY_STATUS,
        },
        (error, response) => {
          if (error === null) resolve(response)
          else reject(error)
        },
      )
    })
  }

  const call: EngineApi['call'] = async (method, path, options) => {
    const response = await request(method, path, options)
    return { status: response.statusCode ?? 0, body: await bodyOf(response) }
  }

  const find = async <T>(
    path: string,
    signal: AbortSignal,
    query: Query = {},
  ): Promise<T | undefined> => {
    const answer = await call('GET', path, { signal, query })
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refusal(`GET ${path}`, answer)
    return answer.body as T
  }

  return {
    call,
    find,
    async read<T>(path: string, signal: AbortSignal, query: Query = {}): Promise<T> {
      const found = await find<T>(path, signal, query)
      if (found === undefined) throw new Unavailable('engine', `GET ${path}: 404`)
      return found
    },
    async stream(path, signal, query = {}) {
      const response = await request('GET', path, { signal, query })
      if (response.statusCode === 200) return chunksOf(response)
      const answer = { status: response.statusCode ?? 0, body: await bodyOf(response) }
      if (answer.status === 404) return undefined
      throw refusal(`GET ${path}`, answer)
    },
  }
}

/** An answer that nothing can be done about now. */
export function refusal(what: string, { status, body }: Answer): Unavailable {
  return new Unavailable('engine', `${what}: ${status} ${messageIn(body)}`)
}

/** A no for good; that it is asked too often or too slowly is none. */
export function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429
}

/** The engine's own sentence. */
export function messageIn(body: unknown): string {
  if (typeof body === 'object' && body !== null && 'message' in body) return String(body.message)
  return typeof body === 'string' ? body : JSON.stringify(body)
}

async function bodyOf(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of chunksOf(response)) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text.trim()
  }
}

async function* chunksOf(response: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of response) yield chunk as Buffer
  } catch (error) {
    throw noAnswer(error)
  }
}

function noAnswer(error: unknown): Unavailable {
  return new Unavailable('engine', `the Docker engine: ${errorMessage(error)}`, error)
}
