import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { Json } from '../../../../src/core/json.ts'
import { DEFAULT_NAMESPACE, jobKey } from '../objects.ts'

export interface Request {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Json | undefined
}

/** What is said to a call. Errors are plain text. */
export interface Answer {
  readonly status?: number
  readonly body: unknown
  /** The content type, where it is not the usual one: errors have none. */
  readonly type?: string
  /** Of reads. */
  readonly index?: number
  /** Of writes: the index without the rest. */
  readonly written?: number
  /** Where the next page of a list begins. */
  readonly next?: string
}

/** `streamed`: the response has been taken over. */
export type Answered = Answer | 'streamed'

export interface Route {
  readonly method: 'GET' | 'PUT' | 'DELETE'
  readonly path: RegExp
  /** `name`: what the path's brackets hold. */
  handle(request: Request, name: string, response: ServerResponse): Answered | Promise<Answered>
}

/** Of the query alone, whatever it is of (command/agent/http.go, parseNamespace). */
export function namespaceOf(query: URLSearchParams): string {
  return query.get('namespace') ?? DEFAULT_NAMESPACE
}

/** Of the job that the path names, in the query's namespace. */
export function keyIn(query: URLSearchParams, job: string): string {
  return jobKey(namespaceOf(query), job)
}

/** What a list shows: what is in the query's namespace, or in any. */
export function listedIn<T extends { readonly Namespace: string }>(
  query: URLSearchParams,
  all: Iterable<T>,
): readonly T[] {
  const namespace = namespaceOf(query)
  return [...all].filter(({ Namespace }) => namespace === '*' || Namespace === namespace)
}

/** Answers by the routes; POST and PUT are one to Nomad. */
export async function answered(
  routes: readonly Route[],
  request: Request,
  response: ServerResponse,
): Promise<Answered> {
  const method = request.method === 'POST' ? 'PUT' : request.method
  const there = routes.filter(({ path }) => path.test(request.path))
  if (there.length === 0) return { status: 404, body: '' }
  const route = there.find((one) => one.method === method)
  if (route === undefined) return { status: 405, body: 'Invalid method' }
  const name = decodeURIComponent(route.path.exec(request.path)?.[1] ?? '')
  return await route.handle(request, name, response)
}
