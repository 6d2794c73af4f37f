import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** An answer to one request: written by the test, on the wire. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface FakeEngine extends AsyncDisposable {
  readonly socket: string
  /** Method and path of each request, in order. */
  readonly asked: string[]
  handler: Handler
}

/** Speaks HTTP on a socket as an engine does: for what a real one does not do on demand. */
export async function fakeEngine(handler: Handler): Promise<FakeEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-engine-'))
  const socket = join(folder, 'docker.sock')
  const server = createServer((request, response) => {
    engine.asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
    engine.handler(request, response)
  })
  const engine: FakeEngine = {
    socket,
    asked: [],
    handler,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true })
    },
  }
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return engine
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
