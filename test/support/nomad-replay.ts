import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { until } from './store.ts'

/** What is answered to a call: a status with JSON, or with a text as Nomad says its errors. */
export interface ReplayAnswer {
  readonly status?: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export type ReplayHandler = (request: {
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}) => ReplayAnswer | Promise<ReplayAnswer>

/** One answer that goes on, such as the stream of events, written by the test. */
export interface ReplayStream {
  readonly url: URL
  /** Resolves once the bytes have left, so that the next ones come apart from them. */
  write(bytes: Buffer | string): Promise<void>
  /** Ends as a server does that has nothing more to say. */
  end(): void
  /** Ends as one that was killed. */
  destroy(): void
  readonly closed: boolean
}

export interface NomadReplay extends AsyncDisposable {
  readonly address: string
  /** Method, path and query of each request, in order. */
  readonly asked: readonly string[]
  /** Answers calls whose method and path are these; the latest that fits. `*` stands for anything. */
  on(call: string, handler: ReplayHandler | ReplayAnswer): void
  /** Answers this path, from then on, with streams that the test writes. */
  streams(path: string, framing?: 'chunked' | 'until-close'): void
  /** The `n`th stream that was asked for, from 0, once it is. */
  stream(n?: number): Promise<ReplayStream>
}

/** A Nomad that says over real HTTP what a test, or a recording, has it say. */
export async function nomadReplay(): Promise<NomadReplay> {
  const asked: string[] = []
  const handlers: { readonly call: RegExp; readonly handler: ReplayHandler }[] = []
  const streamed = new Map<string, 'chunked' | 'until-close'>()
  const streams: ReplayStream[] = []
  const sockets = new Set<Socket>()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', headers } = request
    const url = new URL(request.url ?? '', 'http://nomad')
    const { pathname: path, searchParams: query } = url
    asked.push(`${method} ${request.url ?? ''}`)
    const framing = method === 'GET' ? streamed.get(path) : undefined
    if (framing !== undefined) {
      streams.push(streamOf(url, response, framing))
      return
    }
    const body = await bodyOf(request)
    const found = handlers.findLast(({ call }) => call.test(`${method} ${path}`))
    const said = await (found?.handler({ path, query, headers, body }) ?? { status: 404 })
    const { status = 200, body: content = 'not found', headers: more = {} } = said
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    response.writeHead(status, { 'x-nomad-index': '1', ...more }).end(text)
  }

  const server = createServer((request, response) => {
    void answer(request, response)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    address: `http://127.0.0.1:${port}`,
    asked,
    on(call, handler) {
      const escaped = call.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
      const handle = typeof handler === 'function' ? handler : () => handler
      handlers.push({ call: new RegExp(`^${escaped}$`), handler: handle })
    },
    streams(path, framing = 'until-close') {
      streamed.set(path, framing)
    },
    async stream(n = 0) {
      await until(() => streams.length > n, `stream ${n} is asked for`)
      return streams[n]!
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** From 1.11.2 on events come unframed, until the connection is closed; before, and logs always, in chunks. */
function streamOf(
  url: URL,
  response: ServerResponse,
  framing: 'chunked' | 'until-close',
): ReplayStream {
  const socket = response.socket!
  const out = framing === 'chunked' ? response : socket
  const closed = new Promise((resolve) => socket.once('close', resolve))
  if (framing === 'chunked') {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
  } else {
    const head = ['HTTP/1.1 200 OK', 'Connection: close', 'Content-Type: application/json']
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
  }
  return {
    url,
    async write(bytes) {
      if (socket.destroyed) return
      // Of a connection that is closed nobody says that the bytes have left.
      await Promise.race([new Promise((resolve) => out.write(bytes, resolve)), closed])
      await turn()
    },
    end() {
      out.end()
    },
    destroy() {
      socket.destroy()
    },
    get closed() {
      return socket.destroyed
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return text === '' ? undefined : JSON.parse(text)
}
