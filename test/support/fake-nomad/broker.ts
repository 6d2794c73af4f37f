import type { ServerResponse } from 'node:http'
import { allocationEvent } from './allocations.ts'
import type { Change, Commit } from './state.ts'

/** A heartbeat of the real one comes every 30 s; here in a time that a test has. */
const BEAT_MS = 1_000

interface Event {
  readonly topic: Change['topic']
  /** Empty where it is of none. */
  readonly namespace: string
  readonly text: string
}

interface Frame {
  readonly index: number
  readonly events: readonly Event[]
}

interface Wanted {
  readonly topics: ReadonlySet<string>
  readonly namespace: string
}

interface Subscriber extends Wanted {
  readonly response: ServerResponse
  readonly beat: NodeJS.Timeout
}

/**
 * The event stream: the last transactions of one server, kept in memory. It is nothing that can be
 * relied on, and the real one's weaknesses can be called for.
 */
export class Broker {
  /** Counts transactions, not events (`event_buffer_size`). */
  readonly #most: number
  readonly #subscribers = new Set<Subscriber>()
  #buffer: Frame[] = []
  #dropping = false
  #sent = 0

  constructor(most = 100) {
    this.#most = most
  }

  /** Frames that were written to somebody. */
  get sent(): number {
    return this.#sent
  }

  get subscribers(): number {
    return this.#subscribers.size
  }

  publish({ index, type, changes }: Commit): void {
    if (changes.length === 0) return
    const frame = { index, events: changes.map((change) => eventOf(change, type, index)) }
    this.#buffer.push(frame)
    if (this.#buffer.length > this.#most) this.#buffer.shift()
    if (this.#dropping) return
    for (const subscriber of this.#subscribers) this.#send(subscriber, frame)
  }

  /**
   * From the frame of this index on, from the oldest where it is older (0 too), and with the newest that
   * there is where it is newer (nomad/stream/event_buffer.go, StartAtClosest). First comes a heartbeat.
   */
  subscribe(
    response: ServerResponse,
    { index, ...wanted }: Wanted & { readonly index: number },
  ): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    const beat = setInterval(() => response.write('{}\n'), BEAT_MS)
    const subscriber = { ...wanted, response, beat }
    this.#subscribers.add(subscriber)
    response.on('close', () => {
      clearInterval(beat)
      this.#subscribers.delete(subscriber)
    })
    response.write('{}\n')
    for (const frame of this.#from(index)) this.#send(subscriber, frame)
  }

  /** Ends every stream, as a server does that is asked no more: there is no error in a stream. */
  cut(): void {
    for (const { response } of this.#subscribers) response.destroy()
  }

  /** What happens from now on is told to nobody, until `mend`: an undetectable gap. */
  drop(): void {
    this.#dropping = true
  }

  mend(): void {
    this.#dropping = false
  }

  /** Tells everything in the buffer once more, as a server does that was restarted. */
  repeat(): void {
    for (const subscriber of this.#subscribers) {
      for (const frame of this.#buffer) this.#send(subscriber, frame)
    }
  }

  /** What was before a snapshot is never told again. */
  forget(): void {
    this.#buffer = []
  }

  #from(index: number): readonly Frame[] {
    const at = this.#buffer.findIndex((frame) => frame.index >= index)
    return at < 0 ? this.#buffer.slice(-1) : this.#buffer.slice(at)
  }

  #send({ response, topics, namespace }: Subscriber, { index, events }: Frame): void {
    const wanted = events.filter(
      (event) =>
        (topics.has('*') || topics.has(event.topic)) &&
        (namespace === '*' || event.namespace === '' || event.namespace === namespace),
    )
    if (wanted.length === 0) return
    this.#sent += 1
    const texts = wanted.map(({ text }) => text)
    response.write(`{"Index":${index},"Events":[${texts.join(',')}]}\n`)
  }
}

/** As text, once: many may listen. */
function eventOf(change: Change, Type: string, Index: number): Event {
  const { topic } = change
  const about = aboutOf(change)
  const text = JSON.stringify({ Topic: topic, Type, Index, ...about })
  return { topic, namespace: about.Namespace, text }
}

function aboutOf(change: Change): {
  readonly Key: string
  readonly Namespace: string
  readonly FilterKeys: readonly string[] | null
  readonly Payload: object
} {
  switch (change.topic) {
    case 'Job': {
      const { ID: Key, Namespace } = change.object
      return { Key, Namespace, FilterKeys: null, Payload: { Job: change.object } }
    }
    case 'Allocation': {
      const { ID: Key, Namespace, JobID } = change.object
      const Payload = { Allocation: allocationEvent(change.object) }
      return { Key, Namespace, FilterKeys: [JobID, ''], Payload }
    }
    case 'Evaluation': {
      const { ID: Key, Namespace, JobID } = change.object
      return { Key, Namespace, FilterKeys: [JobID, ''], Payload: { Evaluation: change.object } }
    }
    case 'Node':
      return {
        Key: change.object.ID,
        Namespace: '',
        FilterKeys: null,
        Payload: { Node: change.object },
      }
  }
}
