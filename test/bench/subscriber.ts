import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { until } from '../support/store.ts'
import { wallMs } from './wall-clock.ts'

export interface Received {
  readonly taskId: string
  readonly name: string
  /** When the frame was here, and when the daemon says that it happened: milliseconds of the wall clock. */
  readonly receivedAt: number
  readonly at: number
}

/** A subscriber of one event of the daemon, as an application is one. */
export class Subscriber implements Disposable {
  readonly received: Received[] = []
  readonly #name: string
  readonly #request: ClientRequest
  #ready = false
  #text = ''

  /** Resolves once subscribed. */
  static async open(url: string, name: string): Promise<Subscriber> {
    const subscriber = new Subscriber(url, name)
    await until(() => subscriber.#ready, 'the subscriber is ready', 10_000)
    return subscriber
  }

  private constructor(url: string, name: string) {
    this.#name = name
    this.#request = request(`${url}/v1/events?name=${encodeURIComponent(name)}`)
    this.#request.on('response', (response: IncomingMessage) => {
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        this.#take(chunk, wallMs())
      })
      // The daemon is killed before its subscriber is.
      response.on('error', () => undefined)
    })
    this.#request.on('error', () => undefined)
    this.#request.end()
  }

  /** Resolves with everything received once there is so much of it. */
  async until(count: number, limitMs = 120_000): Promise<readonly Received[]> {
    await until(() => this.received.length >= count, `${count} times ${this.#name}`, limitMs)
    return this.received
  }

  get lastAt(): number {
    return this.received.at(-1)?.receivedAt ?? Number.NaN
  }

  [Symbol.dispose](): void {
    this.#request.destroy()
  }

  #take(chunk: string, receivedAt: number): void {
    this.#text += chunk
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      const frame = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 2)
      if (frame.startsWith(': ready')) this.#ready = true
      const data = /^data: (.*)$/m.exec(frame)?.[1]
      if (data === undefined) continue
      const { message } = JSON.parse(data) as { message: { taskId: string; at: string } }
      const { taskId, at } = message
      this.received.push({ taskId, name: this.#name, receivedAt, at: Date.parse(at) })
    }
  }
}
