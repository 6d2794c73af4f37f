import { parse as parseQueryString } from 'node:querystring'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import { errorMessage, Rejected, Unavailable } from '../core/errors.ts'
import { type Access, createAccess } from './access.ts'
import { addRoute, answerErrors, refuseConnection, sendProblem } from './answers.ts'
import type { HttpDeps } from './deps.ts'
import { createEventBell } from './event-bell.ts'
import { problem } from './problem.ts'
import { allRoutes } from './routes/all.ts'
import { createValidatorCompiler } from './validation.ts'

export interface HttpServer extends AsyncDisposable {
  /** Where it listens: the port is the bound one. */
  readonly address: { readonly host: string; readonly port: number }
}

/** Room in a body for what stands beside an input of the largest size. */
const BESIDE_INPUT_BYTES = 65_536
/** A request must have come whole by then, and a response must not stand still for so long. */
const REQUEST_MS = 30_000
const IDLE_MS = 60_000
/** What is being answered when the server closes may take so long. */
const CLOSE_MS = 3_000
/** What an id of 200 characters may take, percent-encoded. */
const LONGEST_PARAMETER = 2_000

/**
 * Serves the API. Ready when it resolves. Disposing of it ends the streams at once, lets other calls
 * end, and resolves when every connection is closed.
 *
 * Throws `Rejected` where the host is not loopback and there is no token, or where the address cannot
 * be had at all; `Unavailable` (`address-in-use`) where another process has it.
 */
export async function startHttp(deps: HttpDeps): Promise<HttpServer> {
  const { listen, token, inputLimitBytes, logger } = deps
  const access = createAccess(listen.host, token)
  const closing = new AbortController()
  const app = fastify({
    bodyLimit: inputLimitBytes + BESIDE_INPUT_BYTES,
    requestTimeout: REQUEST_MS,
    connectionTimeout: IDLE_MS,
    keepAliveTimeout: 10_000,
    http: { headersTimeout: REQUEST_MS, connectionsCheckingInterval: 5_000 },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: LONGEST_PARAMETER, querystringParser: parseQuery },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, _request, reply) => {
      void sendProblem(reply, problem(error.statusCode ?? 400, 'bad-request', error.message))
    },
  })
  const bell = createEventBell((listener) => deps.onEvents(listener))
  try {
    app.setValidatorCompiler(createValidatorCompiler())
    takeJsonAlone(app)
    answerErrors(app, logger)
    guard(app, access)
    for (const route of allRoutes({ ...deps, bell })) addRoute(app, route, closing.signal, logger)
    await listenOn(app, listen)
  } catch (error) {
    bell[Symbol.dispose]()
    await app.close()
    throw error
  }
  const { address, port } = app.server.address() as AddressInfo

  return {
    address: { host: address, port },
    async [Symbol.asyncDispose]() {
      closing.abort()
      bell[Symbol.dispose]()
      const cut = setTimeout(() => {
        app.server.closeAllConnections()
      }, CLOSE_MS)
      await app.close()
      clearTimeout(cut)
    },
  }
}

async function listenOn(app: FastifyInstance, { host, port }: HttpDeps['listen']): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    const message = `the HTTP server cannot listen on ${host}:${port}: ${errorMessage(error)}`
    const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    throw inUse
      ? new Unavailable('address-in-use', message, error)
      : new Rejected('listen', message, error)
  }
}

/** Fastify reads JSON and plain text; a page in a browser may send text anywhere. */
function takeJsonAlone(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // Clients that always say JSON also say it of no body.
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
}

function guard(app: FastifyInstance, access: Access): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
    const { open } = request.routeOptions.config as { readonly open?: boolean }
    const refusal = access(request, open === true)
    if (refusal !== undefined) await sendProblem(reply, refusal)
  })
}

/** A parameter that is there and empty (`?type=&state=`), as forms send it, says nothing. */
function parseQuery(text: string): Record<string, unknown> {
  const given = Object.entries(parseQueryString(text))
  return Object.fromEntries(given.filter(([, value]) => value !== ''))
}
