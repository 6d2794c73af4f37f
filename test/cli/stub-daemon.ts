import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { WireTask } from '../../src/core/wire.ts'

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Handler = (asked: Asked, response: ServerResponse) => void

/** Speaks the daemon's HTTP as a test says, also what a real one does only when something is wrong. */
export class StubDaemon implements AsyncDisposable {
  readonly asked: Asked[] = []
  handle: Handler
  #server: Server | undefined
  #port = 0

  private constructor(handle: Handler) {
    this.handle = handle
  }

  static async start(handle: Handler): Promise<StubDaemon> {
    const stub = new StubDaemon(handle)
    await stub.up()
    return stub
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Listens, after `down` on the same port as before. */
  async up(): Promise<void> {
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        const { method = '', url = '', headers } = request
        const asked = { method, url, headers, body }
        this.asked.push(asked)
        this.handle(asked, response)
      })
    }).listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Gone at once, as after kill -9. */
  async down(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down()
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

export function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  errors?: readonly object[],
): void {
  response
    .writeHead(status, { 'content-type': 'application/problem+json' })
    .end(JSON.stringify({ type: 'about:blank', title: 'Error', status, code, detail, errors }))
}

/** Begins a stream of events. */
export function sendReady(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': ready\n\n')
}

export function eventFrame(id: number, kind: string, fields: object = {}): string {
  const message = {
    $name: `longhaul/task-${kind}`,
    $version: 1,
    eventId: `e${id}`,
    taskId: 'greet/1',
    taskType: 'greet',
    run: 1,
    at: new Date(Date.UTC(2030, 0, 1, 0, 0, id)).toISOString(),
    ...fields,
  }
  const data = JSON.stringify({ message, attributes: {}, stickyAttributes: {} })
  return `id: ${id}\nevent: longhaul/task-${kind}\ndata: ${data}\n\n`
}

export function wireTask(differs: Partial<WireTask> = {}): WireTask {
  return {
    id: 'greet/1',
    type: 'greet',
    state: 'queued',
    run: 1,
    input: { who: 'world' },
    priority: 0,
    createdAt: '2030-01-01T00:00:00.000Z',
    attempts: [],
    ...differs,
  }
}

export const COMPLETED = { reason: 'completed', fault: 'none', code: 0 } as const
export const FAILED = { reason: 'failed', fault: 'task', code: 3 } as const

export function succeededTask(differs: Partial<WireTask> = {}): WireTask {
  const at = '2030-01-01T00:00:09.000Z'
  const exit = { ...COMPLETED, at }
  const startedAt = '2030-01-01T00:00:02.000Z'
  return wireTask({
    state: 'succeeded',
    attempts: [{ number: 1, run: 1, state: 'exited', startedAt, exit }],
    outcome: { state: 'succeeded', at, exit, rule: 'default: exit code 0' },
    ...differs,
  })
}
