import { randomUUID } from 'node:crypto'
import type { Client } from 'pg'
import { errorMessage, Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { WakeTopic } from '../../../src/ports/store.ts'
import { Listeners } from '../sql/listeners.ts'
import { createClient, type Connections, type Target } from './connections.ts'
import type { Notifier } from './driver.ts'

const CHANNEL = 'longhaul'
const TOPICS = ['queue', 'tasks', 'events', 'messages', 'lead'] as const
/** `lead`: it has been given up. */
type Topic = WakeTopic | 'lead'

/** Where notifications do not come. */
const POLL_MS = 500
/**
 * How often it is tried whether they still come; then everybody is woken besides, for what nobody
 * tells: the holds of a process that is gone have lapsed.
 */
const CHECK_MS = 10_000
const HEAR_MS = 2_500
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/**
 * Under load these loops are woken so often at most: each asks the database a handful of questions,
 * whatever it finds, and would ask them for every single write.
 */
const APART_MS = { queue: 25, tasks: 25, events: 25 }
const LIMITS = { connectMs: 5_000, statementMs: 5_000 }

/**
 * Wakes the loops of this process: at once for what it writes itself, by NOTIFY for what others write.
 * NOTIFY goes with the writing transaction; LISTEN needs a connection of its own to the server itself.
 * Behind a pooler it is accepted and gives nothing, so whether it works is tried, and until it does
 * everybody is woken twice a second.
 */
export class Wakes implements Notifier, AsyncDisposable {
  readonly #target: Target
  readonly #connections: Connections
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #owner = randomUUID()
  readonly #listeners: Listeners<Topic>
  readonly #stop = new AbortController()
  readonly #tried = Promise.withResolvers<undefined>()
  readonly #running: Promise<unknown>
  #listening: boolean | undefined
  #awaited: { readonly word: string; readonly heard: () => void } | undefined

  /** `connections` are those over which the process writes. */
  constructor(parts: {
    readonly target: Target
    readonly connections: Connections
    readonly clock: Clock
    readonly logger: Logger
  }) {
    this.#target = parts.target
    this.#connections = parts.connections
    this.#clock = parts.clock
    this.#logger = parts.logger
    this.#listeners = new Listeners(parts.logger, APART_MS)
    this.#running = Promise.all([this.#listenAlways(), this.#poll()])
  }

  /** Resolves when it listens for the first time, or could not. */
  get tried(): Promise<void> {
    return this.#tried.promise
  }

  onWrite(topic: Topic, listener: () => void): () => void {
    return this.#listeners.add(topic, listener)
  }

  wake(topic: Topic, when?: 'soon'): void {
    this.#listeners.call(topic, when)
  }

  telling(topics: readonly Topic[]): string {
    return `NOTIFY ${CHANNEL}, '${topics.join()} ${this.#owner}'`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  #wakeAll(): void {
    for (const topic of TOPICS) this.wake(topic)
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stop
    while (!this.#isStopped()) {
      await this.#clock.sleep(POLL_MS, signal)
      if (this.#listening !== true && !this.#isStopped()) this.#wakeAll()
    }
  }

  async #listenAlways(): Promise<void> {
    const { signal } = this.#stop
    let pauseMs = FIRST_PAUSE_MS
    for (let times = 1; !this.#isStopped(); times += 1) {
      try {
        await this.#listen(times, () => (pauseMs = FIRST_PAUSE_MS))
      } catch (error) {
        this.#tried.resolve(undefined)
        if (this.#isStopped()) return
        if (this.#listening !== false) {
          this.#logger.warn('store.polling', { everyMs: POLL_MS, error: errorMessage(error) })
        }
        this.#listening = false
      }
      await this.#clock.sleep(pauseMs, signal)
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)
    }
  }

  /** Listens over one connection until that is lost, gives nothing, or listening is to stop. */
  async #listen(times: number, works: () => void): Promise<void> {
    const { signal } = this.#stop
    await using connection = createClient(this.#target, LIMITS)
    const { client } = connection
    const lost = Promise.withResolvers<never>()
    const lose = (why: string, cause?: unknown) => {
      lost.reject(new Unavailable('store-unavailable', why, cause))
    }
    const unlost = <T>(promise: Promise<T>) => Promise.race([promise, lost.promise])
    const stop = () => {
      lose('the store is closed')
    }
    client.on('error', (error) => {
      lose(errorMessage(error), error)
    })
    client.on('end', () => {
      lose('the connection was lost')
    })
    client.on('notification', ({ payload = '' }) => {
      this.#hear(payload)
    })
    signal.addEventListener('abort', stop, { once: true })
    try {
      await unlost(client.connect())
      await unlost(requireOwnServer(client))
      await unlost(client.query(`LISTEN ${CHANNEL}`))
      this.#tried.resolve(undefined)
      // Whatever was told while nobody listened is looked for now.
      if (times > 1) this.#wakeAll()
      for (;;) {
        await unlost(this.#tryHearing())
        if (this.#listening !== true) this.#logger.info('store.listening')
        this.#listening = true
        works()
        await unlost(this.#clock.sleep(CHECK_MS, signal))
        this.#wakeAll()
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /**
   * A word is sent the way in which writes are told, and must come. Sent over the connection that
   * listens it would come through pgbouncer, too.
   */
  async #tryHearing(): Promise<void> {
    const word = randomUUID()
    const over = new AbortController()
    const heard = new Promise<true>((resolve) => {
      this.#awaited = {
        word,
        heard: () => {
          resolve(true)
        },
      }
    })
    try {
      await this.#connections.pool.query(`NOTIFY ${CHANNEL}, 'test ${word}'`)
      const late = this.#clock.sleep(HEAR_MS, over.signal)
      if (!(await Promise.race([heard, late]))) {
        throw new Unavailable('store-unavailable', 'LISTEN gives nothing')
      }
    } finally {
      over.abort()
    }
  }

  #hear(payload: string): void {
    const [what = '', sender] = payload.split(' ')
    if (what === 'test' && sender === this.#awaited?.word) this.#awaited?.heard()
    // What this process has written it knows already.
    if (sender === this.#owner) return
    const topics = what.split(',')
    for (const topic of TOPICS) if (topics.includes(topic)) this.wake(topic)
  }
}

/**
 * A pooler tells a process number of its own. LISTEN would stay with a connection that it gives to
 * others, and have it complain of every notification.
 */
async function requireOwnServer(client: Client): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const { processID } = client as Client & { readonly processID?: number | null }
  if (rows[0]?.pid === processID) return
  throw new Unavailable('store-unavailable', 'a pooler such as pgbouncer stands before the server')
}
