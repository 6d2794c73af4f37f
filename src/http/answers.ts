import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'
import { MISTAKES, problem, PROBLEM_TYPE, type Problem, problemOfError } from './problem.ts'
import type { Answer, Route } from './route.ts'
import { sendStream } from './send-stream.ts'
import { takeRest } from './take-rest.ts'
import { errorDetails } from './validation.ts'

/** How long a caller that was told of a passing trouble should wait. */
const RETRY_AFTER_S = '5'
/** How long a caller whose body is too large may go on sending it before it is answered. */
const REST_MS = 5_000

/** Has fastify check and answer calls of the route. `closing`: aborted when the server closes. */
export function addRoute(
  app: FastifyInstance,
  route: Route,
  closing: AbortSignal,
  logger: Logger,
): void {
  const { params, query, body, open = false } = route
  app.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    config: { open },
    schema: {
      ...(params && { params }),
      ...(query && { querystring: query }),
      ...(body && { body }),
    },
    ...(route.bodyOptional === true && {
      preValidation: (request: FastifyRequest, _reply: FastifyReply, done: () => void) => {
        request.body ??= {}
        done()
      },
    }),
    handler: async (request, reply) => {
      const left = leavingOf(reply, closing)
      const answer = await route.handle({
        params: request.params,
        query: request.query,
        body: request.body,
        headers: request.headers,
        leaving: left,
      })
      if (answer.kind === 'stream') await stream(reply, answer, logger)
      else await sendAnswer(reply, answer)
      return reply
    },
  })
}

/** Undone with the response, so that nothing of a call stays with the server's own signal. */
function leavingOf({ raw }: FastifyReply, closing: AbortSignal): AbortSignal {
  const left = new AbortController()
  const leave = () => {
    left.abort()
  }
  if (closing.aborted) leave()
  closing.addEventListener('abort', leave)
  raw.once('close', () => {
    closing.removeEventListener('abort', leave)
    leave()
  })
  return left.signal
}

function sendAnswer(
  reply: FastifyReply,
  answer: Exclude<Answer, { kind: 'stream' }>,
): FastifyReply {
  switch (answer.kind) {
    case 'json':
      return reply
        .code(answer.status)
        .headers({ ...answer.headers })
        .type('application/json; charset=utf-8')
        .send(JSON.stringify(answer.body))
    case 'problem':
      return sendProblem(reply, answer.problem, answer.more)
    case 'text':
      return reply.code(200).header('content-type', answer.contentType).send(answer.body)
    case 'empty':
      return reply.code(answer.status).send()
  }
}

export function sendProblem(
  reply: FastifyReply,
  wrong: Problem,
  more: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  if (wrong.status === 503) void reply.header('retry-after', RETRY_AFTER_S)
  if (wrong.status === 401) void reply.header('www-authenticate', 'Bearer realm="longhaul"')
  return reply
    .code(wrong.status)
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify({ ...wrong, ...more }))
}

async function stream(
  reply: FastifyReply,
  { contentType, chunks }: Extract<Answer, { kind: 'stream' }>,
  logger: Logger,
): Promise<void> {
  const headers = { ...reply.getHeaders(), 'content-type': contentType }
  reply.hijack()
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) reply.raw.setHeader(name, value)
  }
  try {
    await sendStream(reply.raw, chunks)
  } catch (error) {
    // The answer is under way: all that is left to say to the caller is that it broke off.
    logger.warn('http.stream-broken', { url: pathOf(reply), error: errorMessage(error) })
  }
}

/** Every error as a problem, and nothing of the inside in any. */
export function answerErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler(async (error, request, reply) => {
    const known = problemOfError(error) ?? problemOfFastify(error)
    if (known === undefined || known.status >= 500) {
      const level = known === undefined ? 'error' : 'warn'
      logger[level]('http.failed', {
        method: request.method,
        url: pathOf(reply),
        error: errorMessage(error),
        ...(known === undefined && error instanceof Error && { stack: error.stack }),
      })
    }
    if (known?.status === 413) await takeRest(request.raw, REST_MS)
    const words = 'something is wrong in the daemon: its log says what'
    return sendProblem(reply, known ?? problem(500, 'internal', words))
  })
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      problem(404, 'unknown-call', `there is no ${request.method} ${pathOf(reply)}`),
    ),
  )
}

const FASTIFY_CODES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
}

/** What fastify itself refuses before a handler is called. */
function problemOfFastify(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined
  const { statusCode, code, validation, validationContext = 'body' } = error as FastifyError
  if (validation !== undefined) {
    const part = validationContext === 'querystring' ? 'query' : validationContext
    return problem(422, 'invalid', MISTAKES, errorDetails(part, validation))
  }
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return undefined
  const words = statusCode === 415 ? 'a body must be application/json' : error.message
  return problem(statusCode, FASTIFY_CODES[code] ?? 'bad-request', words)
}

/** Without the query: people put things there that are nobody's business. */
function pathOf({ request }: FastifyReply): string {
  return request.url.replace(/\?.*$/s, '')
}

const CONNECTION_STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}

/** For what is no HTTP, or does not come to an end: there is no request to answer, only a socket. */
export function refuseConnection(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const status = CONNECTION_STATUS[error.code ?? ''] ?? 400
  const title = STATUS_CODES[status] ?? ''
  const body = JSON.stringify(problem(status, 'bad-request', title))
  const head = `HTTP/1.1 ${status} ${title}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}`
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => {
    socket.destroy()
  })
}
