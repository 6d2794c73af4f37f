import type { IncomingHttpHeaders } from 'node:http'
import type { Static, TSchema } from 'typebox'
import type { Problem } from './problem.ts'

/**
 * One call of the API, declared once: what it is checked against, what the document says of it and what
 * it does.
 */
export interface Route extends RouteDescription {
  readonly params?: TSchema
  readonly query?: TSchema
  readonly body?: TSchema
  handle(call: Call<unknown, unknown, unknown>): Answer | Promise<Answer>
}

interface RouteDescription {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With its parameters in braces, each of one segment: `/v1/tasks/{type}/{id}`. */
  readonly path: string
  readonly operation: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  /** Request headers that mean something: name and what. */
  readonly headers?: Readonly<Record<string, string>>
  /** An absent body is an empty object. */
  readonly bodyOptional?: boolean
  /** Needs no token. */
  readonly open?: boolean
  readonly responses: Readonly<Record<number, ResponseDescription>>
}

export interface ResponseDescription {
  readonly description: string
  readonly schema?: TSchema
  /** JSON, or problem+json where it is an error, unless said otherwise. */
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Call<Params, Query, Body> {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly headers: IncomingHttpHeaders
  /** Aborted when the caller has gone or the server closes. */
  readonly leaving: AbortSignal
}

export type Answer =
  | {
      readonly kind: 'json'
      readonly status: number
      readonly body: unknown
      readonly headers?: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'problem'
      readonly problem: Problem
      /** Members beyond those that every problem has. */
      readonly more?: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'text'; readonly contentType: string; readonly body: string }
  | { readonly kind: 'empty'; readonly status: number }
  /** Headers are sent at once, chunks as fast as the caller takes them. */
  | {
      readonly kind: 'stream'
      readonly contentType: string
      readonly chunks: AsyncIterable<string>
    }

/** A route whose handler knows the types of what its schemas let through. */
export function route<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
>(
  spec: RouteDescription & {
    readonly params?: Params
    readonly query?: Query
    readonly body?: Body
    handle(call: Call<Static<Params>, Static<Query>, Static<Body>>): Answer | Promise<Answer>
  },
): Route {
  return spec
}

export function json(
  status: number,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
): Answer {
  return { kind: 'json', status, body, ...(headers && { headers }) }
}

export function refused(problem: Problem): Answer {
  return { kind: 'problem', problem }
}
