import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { EmbeddedTransport } from '../../adapters/transport/embedded/transport.ts'
import type { Definition, TaskType } from '../../src/core/task-type.ts'
import { createControl } from '../../src/engine/control.ts'
import { createIntake } from '../../src/engine/intake.ts'
import type { LoadedTaskType } from '../../src/engine/task-types.ts'
import { createTransitions } from '../../src/engine/transitions.ts'
import type { HttpDeps } from '../../src/http/deps.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import { type HttpServer, startHttp } from '../../src/http/server.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Store } from '../../src/ports/store.ts'
import { openMemoryStore, QuietLogger } from '../support/store.ts'

export const REAL_CLOCK: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, signal?.aborted ? 0 : ms)
      signal?.addEventListener('abort', done)
    }),
}

/** Two types: `encode` takes its id from `/videoId`, `export` from the sender. */
const ENCODE = loadedType('encode', {
  idPointer: '/videoId',
  command: 'media/encode-video',
  input: {
    type: 'object',
    required: ['videoId'],
    properties: { videoId: { type: ['string', 'integer'] }, quality: { type: 'integer' } },
  },
})
const EXPORT = loadedType('export', { input: { type: 'object' } })

function loadedType(name: string, differs: Partial<TaskType>): LoadedTaskType {
  const definition: Definition = { name, hash: `hash-of-${name}`, directory: '/', compose: {} }
  const type: TaskType = {
    name,
    hash: definition.hash,
    directory: '/',
    service: { environment: {}, stopSignal: 'SIGTERM', stopGraceMs: 10_000, compose: {} },
    input: { type: 'object' },
    inputEnvironment: {},
    arguments: [],
    startTimeoutMs: 600_000,
    retry: { maxAttempts: 3, backoff: 'none', rules: [] },
    onNodeLost: { action: 'retry', afterMs: 60_000 },
    priority: 0,
    eventNames: {},
    keep: { outcomeMs: 86_400_000, failedUnitMs: 3_600_000, logTailBytes: 16_384 },
    ...differs,
  }
  const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(type.input)
  return {
    type,
    definition,
    validateInput(input) {
      validate(input)
      return (validate.errors ?? []).map(({ instancePath, message }) => ({
        pointer: instancePath,
        message: message ?? '',
      }))
    },
  }
}

export interface Harness extends AsyncDisposable {
  readonly server: HttpServer
  readonly store: Store
  readonly transport: EmbeddedTransport
  readonly logger: QuietLogger
  readonly url: string
  /** JSON in and out; `body` undefined sends none. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Reply>
}

interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export async function startHarness(
  differs: Partial<HttpDeps> | ((store: Store) => Partial<HttpDeps>) = {},
): Promise<Harness> {
  const clock = REAL_CLOCK
  const logger = new QuietLogger()
  const store = await openMemoryStore(clock, logger)
  const transport = new EmbeddedTransport({ store, clock, logger })
  await transport.subscribe(['longhaul/run-task', 'media/encode-video'])
  const types = new Map([ENCODE, EXPORT].map((loaded) => [loaded.type.name, loaded]))
  const taskTypes = {
    byName: (name: string) => types.get(name),
    byCommand: () => undefined,
    all: () => [...types.values()],
  }
  const metrics = createMetrics({ tasks: store.tasks, clock })
  const transitions = createTransitions({ tasks: store.tasks, logger, meter: metrics })
  const ofHash = (hash: string) => {
    const found = [...types.values()].find(({ definition }) => definition.hash === hash)
    return Promise.resolve((found ?? ENCODE).type)
  }
  const definitions = { type: ofHash, policy: ofHash, limit: () => Promise.resolve(undefined) }
  const { tasks, events } = store
  const inputLimitBytes = 65_536
  const deps: HttpDeps = {
    listen: { host: '127.0.0.1', port: 0 },
    inputLimitBytes,
    intake: createIntake({ tasks, clock, logger, inputLimitBytes }),
    control: createControl({ tasks, transitions, definitions, taskTypes, clock }),
    tasks,
    events,
    onEvents: (listener) => store.onWrite('events', listener),
    taskTypes,
    warnings: (type) => (type.name === 'export' ? ['deploy.placement is not honoured'] : []),
    transport,
    handles: (name) => name === 'longhaul/run-task' || name === 'media/encode-video',
    scheduler: { logs: nothing },
    ready: () => Promise.resolve([{ name: 'store', ok: true, message: 'answers' }]),
    metrics,
    clock,
    logger,
    version: '1.2.3',
    ...(typeof differs === 'function' ? differs(store) : differs),
  }
  let server
  try {
    server = await startHttp(deps)
  } catch (error) {
    await transport.dispose()
    await store[Symbol.asyncDispose]()
    throw error
  }
  const url = `http://127.0.0.1:${server.address.port}`
  return {
    server,
    store,
    transport,
    logger,
    url,
    call: (method, path, body, headers = {}) => call(`${url}${path}`, method, body, headers),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await transport.dispose()
      await store[Symbol.asyncDispose]()
    },
  }
}

async function* nothing(): AsyncGenerator<string, void, undefined> {
  await Promise.resolve()
  yield* []
}

async function call(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Reply> {
  const response = await fetch(url, {
    method,
    headers: {
      // One connection a call, so that a closing server has none to wait for.
      connection: 'close',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  const parsed = type.includes('json') ? (JSON.parse(text) as Reply['body']) : { text }
  return { status: response.status, headers: response.headers, body: parsed }
}

/** A call with headers that fetch does not let one choose. */
export function rawCall(
  harness: Harness,
  options: { method?: string; path: string; headers?: Record<string, string>; body?: string },
): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options
    const request = httpRequest(
      { host: '127.0.0.1', port: harness.server.address.port, agent: false, ...rest },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => {
          const type = response.headers['content-type'] ?? ''
          resolve({ status: response.statusCode ?? 0, type, text })
        })
        response.on('error', reject)
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

export function anyId(): string {
  return randomUUID()
}

/** Reads a stream until what was read holds `what`. */
export class TextStream implements AsyncDisposable {
  text = ''
  ended = false
  readonly response: Response
  readonly #abort: AbortController
  readonly #reading: Promise<void>

  static async open(url: string, headers: Record<string, string> = {}): Promise<TextStream> {
    const abort = new AbortController()
    const response = await fetch(url, { headers, signal: abort.signal })
    return new TextStream(response, abort)
  }

  constructor(response: Response, abort: AbortController) {
    this.response = response
    this.#abort = abort
    this.#reading = this.#read()
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder()
    try {
      for await (const chunk of this.response.body ?? []) {
        this.text += decoder.decode(chunk as Uint8Array, { stream: true })
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error
    } finally {
      this.ended = true
    }
  }

  /** The events so far. */
  get events(): readonly { id?: string; event: string; data: Record<string, unknown> }[] {
    const frames = this.text.split('\n\n').slice(0, -1)
    return frames
      .filter((frame) => !frame.startsWith(':'))
      .map((frame) => {
        const fields = frame.split('\n').map((line) => /^(\w+): (.*)$/.exec(line)!.slice(1))
        const { id, event, data } = Object.fromEntries(fields) as Record<string, string>
        const parsed = JSON.parse(data!) as Record<string, unknown>
        return { ...(id !== undefined && { id }), event: event!, data: parsed }
      })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#reading
  }
}
