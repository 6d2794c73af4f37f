import { once } from 'node:events'
import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import { text } from 'node:stream/consumers'
import { Unavailable } from '../../core/errors.ts'
import { headersFor, unreachable } from './call.ts'
import type { Connection } from './connection.ts'
import { refusal } from './refused.ts'

/** How long the headers of a stream may take. */
const HEADERS_MS = 30_000

/**
 * A body that goes on for as long as the other side has something to say. Not through fetch, which
 * gives up on a body that is silent for five minutes, as a long task's output may well be.
 *
 * Throws as `call` does; reading throws `Unavailable` where the stream breaks off, or is silent for
 * `silenceMs`.
 */
export async function openStream(
  connection: Connection,
  path: string,
  options: {
    readonly headers?: Readonly<Record<string, string>>
    readonly silenceMs?: number
    readonly signal: AbortSignal
  },
): Promise<AsyncIterable<Uint8Array>> {
  const { signal, silenceMs } = options
  const url = `${connection.url}${path}`
  const request = (url.startsWith('https:') ? getHttps : getHttp)(url, {
    headers: { ...headersFor(connection), ...options.headers },
    agent: false,
    signal,
  })
  const silent = () => {
    request.destroy(new Error('it has gone silent'))
  }
  request.setTimeout(HEADERS_MS, silent)
  let response: IncomingMessage
  try {
    ;[response] = (await once(request, 'response')) as [IncomingMessage]
  } catch (error) {
    if (signal.aborted) throw error
    throw unreachable(connection, error)
  }
  // What goes wrong from here on is thrown to the reader of the response.
  request.on('error', () => undefined)
  if (response.statusCode !== 200) {
    const { statusCode: status = 0, statusMessage: statusText = '', headers } = response
    const { location } = headers
    throw refusal(connection, { status, statusText, location, body: await bodyOf(response) })
  }
  request.setTimeout(silenceMs ?? 0, silent)
  return chunks(connection, response, signal)

  async function bodyOf(answer: IncomingMessage): Promise<string> {
    try {
      return await text(answer)
    } catch (error) {
      if (signal.aborted) throw error
      throw unreachable(connection, error)
    }
  }
}

async function* chunks(
  { url }: Connection,
  response: IncomingMessage,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) yield chunk
  } catch (error) {
    if (signal.aborted) throw error
    throw new Unavailable('broken-off', `the connection to the daemon at ${url} broke off`, error)
  }
}
