import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Json } from '../../../src/core/json.ts'
import type { Answer, Answered, Request } from './routes/route.ts'

/** Answers a call, or has taken the response over. */
export type Answering = (request: Request, response: ServerResponse) => Promise<Answered>

/** The HTTP side of an agent, which can go and come back at the same address. */
export class HttpSide {
  readonly #answering: Answering
  readonly #sockets = new Set<Socket>()
  readonly #failures: unknown[] = []
  #server: Server | undefined
  #port = 0
  /** Method, path and query of each request, in order. */
  readonly asked: string[] = []

  constructor(answering: Answering) {
    this.#answering = answering
  }

  get address(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async up(): Promise<void> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#failures.push(error)
        response.destroy()
      })
    })
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Nothing is answered any more, and what is under way is cut. */
  async down(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** What the fake itself has failed at: nothing that a Nomad would say. */
  assertSound(): void {
    if (this.#failures.length > 0) throw new AggregateError(this.#failures, 'the fake Nomad failed')
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? '', 'http://nomad')
    const method = message.method ?? ''
    this.asked.push(`${method} ${message.url ?? ''}`)
    const body = await bodyOf(message)
    if (body === BROKEN) {
      send(response, { status: 400, body: 'unexpected EOF' })
      return
    }
    const request: Request = {
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: message.headers,
      body,
    }
    const answer = await this.#answering(request, response)
    if (answer !== 'streamed') send(response, answer)
  }
}

function send(response: ServerResponse, answer: Answer): void {
  const { status = 200, body, index, written, next } = answer
  const isText = status !== 200
  const type = answer.type ?? (isText ? undefined : 'application/json')
  response
    .writeHead(status, {
      ...(type !== undefined && { 'content-type': type }),
      ...(index !== undefined && {
        'x-nomad-index': String(index),
        'x-nomad-knownleader': 'true',
        'x-nomad-lastcontact': '0',
      }),
      ...(written !== undefined && { 'x-nomad-index': String(written) }),
      ...(next !== undefined && { 'x-nomad-nexttoken': next }),
    })
    .end(isText ? String(body) : JSON.stringify(body))
}

const BROKEN = Symbol('no JSON')

async function bodyOf(request: IncomingMessage): Promise<Json | undefined | typeof BROKEN> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  if (text === '') return undefined
  try {
    return JSON.parse(text) as Json
  } catch {
    return BROKEN
  }
}
