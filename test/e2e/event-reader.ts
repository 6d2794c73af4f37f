import type { Installation } from '../support/daemon.ts'
import { until } from '../support/store.ts'

export interface ReceivedEvent {
  readonly cursor: string | undefined
  readonly name: string
  readonly message: Readonly<Record<string, unknown>> & {
    readonly eventId: string
    readonly taskId?: string
  }
  readonly correlationId?: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly stickyAttributes: Readonly<Record<string, unknown>>
}

/** Follows `GET /v1/events`, from where it is told to until it is disposed of or the daemon ends. */
export class EventReader implements AsyncDisposable {
  readonly events: ReceivedEvent[] = []
  readonly #left = new AbortController()
  #ready = false
  #over = false
  #reading: Promise<void> = Promise.resolve()

  /** Resolves once it is subscribed: what happens from then on is not missed. */
  static async open(
    installation: Installation,
    query = '',
    lastEventId?: string,
  ): Promise<EventReader> {
    const reader = new EventReader()
    const response = await installation.fetch(`/v1/events${query}`, undefined, {
      signal: reader.#left.signal,
      ...(lastEventId !== undefined && { headers: { 'last-event-id': lastEventId } }),
    })
    if (response.status !== 200 || response.body === null) {
      throw new Error(`${response.status}: ${await response.text()}`)
    }
    reader.#reading = reader.#read(response.body)
    await until(() => reader.#ready, 'the stream of events is ready')
    return reader
  }

  get over(): boolean {
    return this.#over
  }

  get names(): string[] {
    return this.events.map(({ name }) => name)
  }

  async find(is: (event: ReceivedEvent) => boolean, what: string): Promise<ReceivedEvent> {
    let found: ReceivedEvent | undefined
    await until(() => (found = this.events.find(is)) !== undefined, what, 15_000)
    if (found === undefined) throw new Error(what)
    return found
  }

  named(name: string): Promise<ReceivedEvent> {
    return this.find((event) => event.name === name, `${name} is received`)
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    try {
      let text = ''
      for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
        text += chunk
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          this.#take(text.slice(0, end))
          text = text.slice(end + 2)
        }
      }
    } catch {
      // Left, or the daemon was killed: either way the stream is over.
    } finally {
      this.#over = true
    }
  }

  #take(frame: string): void {
    if (frame === ': ready') this.#ready = true
    const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(frame)?.[1]
    const [cursor, name, data] = [field('id'), field('event'), field('data')]
    if (name === undefined || data === undefined) return
    this.events.push({
      cursor,
      name,
      ...(JSON.parse(data) as Omit<ReceivedEvent, 'name' | 'cursor'>),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#left.abort()
    await this.#reading
  }
}
