import { Agent, request } from 'node:http'

/**
 * A client that costs little beside the daemon that it measures: one connection a caller, kept open.
 */
export class Requests implements Disposable {
  readonly #url: string
  readonly #agent: Agent
  readonly #socketPath: string | undefined

  /** `server`: its URL, or the path of its socket. */
  constructor(server: string, callers: number) {
    const bySocket = server.startsWith('/')
    this.#url = bySocket ? 'http://socket' : server
    this.#socketPath = bySocket ? server : undefined
    this.#agent = new Agent({ keepAlive: true, maxSockets: callers })
  }

  get(path: string): Promise<string> {
    return this.#ask('GET', path, undefined)
  }

  post(path: string, body: object): Promise<string> {
    return this.#ask('POST', path, JSON.stringify(body))
  }

  delete(path: string): Promise<string> {
    return this.#ask('DELETE', path, undefined)
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  #ask(method: string, path: string, body: string | undefined): Promise<string> {
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    return new Promise((resolve, reject) => {
      const asked = request(
        `${this.#url}${path}`,
        { method, headers, agent: this.#agent, socketPath: this.#socketPath },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.on('error', reject)
          response.on('end', () => {
            if (response.statusCode !== undefined && response.statusCode < 300) resolve(text)
            else reject(new Error(`${method} ${path}: ${response.statusCode ?? 0} ${text}`))
          })
        },
      )
      asked.on('error', reject)
      asked.end(body)
    })
  }
}

/** Calls `work` for 0 … count - 1, so many at a time, each caller waiting for its answer. */
export async function byCallers(
  callers: number,
  count: number,
  work: (n: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const caller = async () => {
    while (next < count) {
      const n = next
      next += 1
      await work(n)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
}
