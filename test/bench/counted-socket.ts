import { connect, createServer, type Server } from 'node:net'

/**
 * A socket in front of another, which counts what comes through: the bytes that the server sends, and by
 * its first line the request that a connection begins with, where it can be read.
 */
export class CountedSocket implements AsyncDisposable {
  readonly path: string
  readonly #server: Server
  readonly #requests = new Map<string, number>()
  #bytes = 0

  static async open(target: string, path: string): Promise<CountedSocket> {
    const counted = new CountedSocket(target, path)
    await new Promise<void>((resolve) => counted.#server.listen(path, resolve))
    return counted
  }

  private constructor(target: string, path: string) {
    this.path = path
    this.#server = createServer((client) => {
      const server = connect(target)
      client.once('data', (chunk: Buffer) => {
        this.#begun(chunk)
      })
      server.on('data', (chunk: Buffer) => (this.#bytes += chunk.length))
      client.pipe(server)
      server.pipe(client)
      // Whoever is killed takes the other end with him.
      client.on('error', () => server.destroy())
      server.on('error', () => client.destroy())
      client.on('close', () => server.destroy())
    })
  }

  /** Sent by the server so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** How often each was asked for, as `GET /tasks`. */
  get requests(): ReadonlyMap<string, number> {
    return this.#requests
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #begun(chunk: Buffer): void {
    const line = /^[A-Z]+ \/[^ ?]*/.exec(chunk.toString('latin1', 0, 200))?.[0]
    if (line !== undefined) this.#requests.set(line, (this.#requests.get(line) ?? 0) + 1)
  }
}
