import type { TSchema } from 'typebox'
import type { JsonObject } from '../core/json.ts'
import { ErrorDetail } from '../core/messages.ts'
import { WireAttempt, WireExit, WireOutcome, WireTask } from '../core/wire.ts'
import { Problem } from './problem.ts'
import type { ResponseDescription, Route } from './route.ts'

/** Schemas with a name of their own in the document. */
const NAMED: Readonly<Record<string, TSchema>> = {
  Task: WireTask,
  Attempt: WireAttempt,
  Outcome: WireOutcome,
  Exit: WireExit,
  Problem,
  ErrorDetail,
}

const PROBLEM_RESPONSE = { $ref: '#/components/responses/Problem' }

/** The OpenAPI 3.1 document of the routes: what they are checked against, as others read it. */
export function openApiDocument(
  routes: readonly Route[],
  { version, secured }: { readonly version: string; readonly secured: boolean },
): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {}
  for (const route of routes) {
    const path = (paths[route.path] ??= {})
    path[route.method.toLowerCase()] = operationOf(route, secured)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Longhaul',
      version,
      description: 'Runs long work as containers, watches it, retries it and tells how it ended.',
    },
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.entries(NAMED).map(([name, schema]) => [name, inner(plain(schema))]),
      ),
      responses: {
        Problem: {
          description: 'What went wrong.',
          content: { 'application/problem+json': { schema: refOf('Problem') } },
        },
      },
      ...(secured && { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } }),
    },
    ...(secured && { security: [{ token: [] }] }),
  }
}

function operationOf(route: Route, secured: boolean): JsonObject {
  const { params, query, body, headers = {}, description } = route
  const responses = Object.entries(route.responses).map(
    ([status, response]) => [status, responseOf(Number(status), response)] as const,
  )
  return {
    operationId: route.operation,
    tags: [route.tag],
    summary: route.summary,
    ...(description !== undefined && { description }),
    ...(secured && route.open === true && { security: [] }),
    parameters: [
      ...parametersOf('path', params),
      ...parametersOf('query', query),
      ...Object.entries(headers).map(([name, words]) => ({
        name,
        in: 'header',
        description: words,
        required: false,
        schema: { type: 'string' },
      })),
    ],
    ...(body && {
      requestBody: {
        required: route.bodyOptional !== true,
        content: { 'application/json': { schema: named(plain(body)) } },
      },
    }),
    responses: { ...Object.fromEntries(responses), default: PROBLEM_RESPONSE },
  }
}

function parametersOf(place: 'path' | 'query', schema: TSchema | undefined): JsonObject[] {
  if (schema === undefined) return []
  const { properties, required } = plain(schema)
  const names = new Set(Array.isArray(required) ? required : [])
  return Object.entries(properties as JsonObject).map(([name, value]) => {
    const { description, ...rest } = value as JsonObject
    return {
      name,
      in: place,
      required: names.has(name),
      ...(description !== undefined && { description }),
      schema: rest,
    }
  })
}

function responseOf(status: number, response: ResponseDescription): JsonObject {
  const { description, headers, contentType } = response
  const isError = status >= 400
  const schema = response.schema ?? (isError ? Problem : undefined)
  const type = contentType ?? (isError ? 'application/problem+json' : 'application/json')
  return {
    description,
    ...(headers && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, words]) => [
          name,
          { description: words, schema: { type: 'string' } },
        ]),
      ),
    }),
    ...(schema && { content: { [type]: { schema: named(plain(schema)) } } }),
  }
}

/** A schema as the JSON that it is. */
function plain(schema: TSchema): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject
}

/** The schema, with each part that has a name replaced by a reference: builders copy, so by content. */
function named(schema: JsonObject): JsonObject {
  const text = JSON.stringify(schema)
  const name = Object.keys(NAMED).find((key) => JSON.stringify(NAMED[key]) === text)
  return name === undefined ? inner(schema) : refOf(name)
}

function inner(schema: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, isObject(value) ? replaced(value) : value]),
  )
}

function replaced(value: JsonObject | readonly JsonObject[]): JsonObject | JsonObject[] {
  return Array.isArray(value) ? value.map(named) : named(value as JsonObject)
}

function isObject(value: unknown): value is JsonObject | readonly JsonObject[] {
  const isOne = (one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one)
  return Array.isArray(value) ? value.length > 0 && value.every(isOne) : isOne(value)
}

function refOf(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` }
}
