import type { Json, JsonObject } from '../../core/json.ts'
import { isJsonObject } from '../../core/json.ts'
import type { TaskState } from '../../core/task.ts'
import type { WireTask } from '../../core/wire.ts'
import type { DeadLetter } from '../../ports/transport.ts'
import { call, type Call } from './call.ts'
import type { Connection } from './connection.ts'
import { noDaemon } from './refused.ts'
import { createSseParser, type ServerSent } from './sse-parser.ts'
import { openStream } from './stream.ts'

/** The daemon says that it is there every 15 s: after three times that it is not. */
const SILENCE_MS = 45_000
/** The most that the daemon gives at a time. */
const PAGE = 200

export interface NewTask {
  readonly type: string
  readonly input: Json
  readonly id?: string
}

/** Where events are read from: `after` is an id that was seen, `0` the oldest kept, absent from now. */
export interface EventQuery {
  readonly type?: string
  readonly task?: string
  readonly after?: string
}

/** A dead letter as HTTP tells it; in lists without the body. */
export type WireDeadLetter = Omit<DeadLetter, 'at' | 'body'> &
  Partial<Pick<DeadLetter, 'body'>> & { readonly at: string }

/**
 * The daemon's API. Every call throws `Refused` where the daemon says no and `Unavailable` where none
 * answers; an aborted signal throws its reason.
 */
export interface Client {
  readonly url: string
  /** `known`: it was there already, and nothing new starts. The same `key` is the same request. */
  runTask(
    task: NewTask,
    key: string,
    signal?: AbortSignal,
  ): Promise<{ readonly task: WireTask; readonly known: boolean }>
  task(id: string, signal?: AbortSignal): Promise<WireTask>
  /** Newest first, at most `limit`; `more`: there are others. */
  tasks(query: {
    readonly type?: string
    readonly state?: TaskState
    readonly limit: number
  }): Promise<{ readonly tasks: readonly WireTask[]; readonly more: boolean }>
  /** `already`: it was cancelled before. */
  cancel(
    id: string,
    words: { readonly reason?: string; readonly by?: string },
  ): Promise<{ readonly task: WireTask; readonly already: boolean }>
  redrive(id: string, words: { readonly by?: string }): Promise<WireTask>
  logs(
    id: string,
    attempt: number,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>>
  /** Resolves with a stream that has not been read yet; its first comment is `ready`. */
  events(query: EventQuery, signal: AbortSignal): Promise<AsyncIterable<ServerSent>>
  deadLetters(
    limit: number,
  ): Promise<{ readonly letters: readonly WireDeadLetter[]; readonly more: boolean }>
  deadLetter(id: string): Promise<WireDeadLetter>
  replayDeadLetter(id: string): Promise<void>
  dropDeadLetter(id: string): Promise<void>
}

export function createClient(connection: Connection): Client {
  const ask = (one: Call) => call(connection, one)
  const get = async (path: string, signal?: AbortSignal) =>
    present(connection, (await ask({ method: 'GET', path, ...(signal && { signal }) })).body)
  const post = async (path: string, body: JsonObject) => {
    const answer = await ask({ method: 'POST', path, body })
    return { status: answer.status, task: taskIn(connection, answer.body) }
  }

  return {
    url: connection.url,
    async runTask(task, key, signal) {
      const { status, body } = await ask({
        method: 'POST',
        path: '/v1/tasks',
        body: { ...task },
        headers: { 'idempotency-key': key },
        ...(signal && { signal }),
      })
      return { task: taskIn(connection, body), known: status === 200 }
    },
    task: async (id, signal) => taskIn(connection, await get(taskPath(id), signal)),
    async tasks({ limit, ...filters }) {
      const page = await allPages(get, '/v1/tasks', 'tasks', filters, limit)
      return { tasks: page.items.map((one) => taskIn(connection, one)), more: page.more }
    },
    async cancel(id, words) {
      const { status, task } = await post(`${taskPath(id)}/cancel`, { ...words })
      return { task, already: status === 200 }
    },
    redrive: async (id, words) => (await post(`${taskPath(id)}/redrive`, { ...words })).task,
    logs: (id, attempt, { follow, signal }) =>
      openStream(connection, `${taskPath(id)}/attempts/${attempt}/logs?follow=${String(follow)}`, {
        signal,
      }),
    async events({ after, ...filters }, signal) {
      const query = queryOf({ ...filters, ...(after === '0' && { after }) })
      const chunks = await openStream(connection, `/v1/events${query}`, {
        headers: {
          accept: 'text/event-stream',
          ...(after !== undefined && after !== '0' && { 'last-event-id': after }),
        },
        silenceMs: SILENCE_MS,
        signal,
      })
      return parsed(chunks)
    },
    async deadLetters(limit) {
      const page = await allPages(get, '/v1/dead-letters', 'deadLetters', {}, limit)
      return { letters: page.items as unknown as WireDeadLetter[], more: page.more }
    },
    deadLetter: async (id) => (await get(letterPath(id))) as unknown as WireDeadLetter,
    replayDeadLetter: async (id) => {
      await ask({ method: 'POST', path: `${letterPath(id)}/replay` })
    },
    dropDeadLetter: async (id) => {
      await ask({ method: 'DELETE', path: letterPath(id) })
    },
  }
}

function taskPath(taskId: string): string {
  const slash = taskId.indexOf('/')
  const [type, id] = [taskId.slice(0, slash), taskId.slice(slash + 1)]
  return `/v1/tasks/${encodeURIComponent(type)}/${encodeURIComponent(id)}`
}

function letterPath(id: string): string {
  return `/v1/dead-letters/${encodeURIComponent(id)}`
}

function queryOf(fields: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) query.set(name, String(value))
  }
  return query.size === 0 ? '' : `?${query.toString()}`
}

function present(connection: Connection, body: JsonObject | undefined): JsonObject {
  if (body === undefined) throw noDaemon(connection, 'its answer is empty')
  return body
}

function taskIn(connection: Connection, body: Json | undefined): WireTask {
  if (
    !isJsonObject(body) ||
    typeof body['id'] !== 'string' ||
    typeof body['state'] !== 'string' ||
    !Array.isArray(body['attempts'])
  ) {
    throw noDaemon(connection, 'its answer is no task')
  }
  return body as unknown as WireTask
}

/** Page after page until there are no more, or enough. */
async function allPages(
  get: (path: string) => Promise<JsonObject>,
  path: string,
  member: string,
  filters: Readonly<Record<string, string | undefined>>,
  limit: number,
): Promise<{ readonly items: readonly JsonObject[]; readonly more: boolean }> {
  const items: JsonObject[] = []
  let cursor: string | undefined
  do {
    const wanted = Math.min(PAGE, limit - items.length)
    const page = await get(`${path}${queryOf({ ...filters, limit: wanted, cursor })}`)
    const found = page[member]
    if (Array.isArray(found)) items.push(...(found as JsonObject[]))
    cursor = typeof page['next'] === 'string' ? page['next'] : undefined
  } while (cursor !== undefined && items.length < limit)
  return { items, more: cursor !== undefined }
}

async function* parsed(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSent, void, undefined> {
  const parse = createSseParser()
  for await (const chunk of chunks) yield* parse(chunk)
}
