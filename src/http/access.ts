import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { Rejected } from '../core/errors.ts'
import { problem, type Problem } from './problem.ts'

/** Says why a request may not pass, or nothing. `open`: it is one that needs no token. */
export type Access = (
  request: { readonly method: string; readonly headers: IncomingHttpHeaders },
  open: boolean,
) => Problem | undefined

/**
 * With a token: every request must bear it. Without one the server listens on loopback, and what must
 * be kept out is a web page in a browser on this machine. Such a page may send what a form can send
 * (bodies that are no JSON, which nothing here parses, and requests without a body: those carry a
 * foreign `Origin`), or bring its own name to our address (then `Host` is that name).
 *
 * Throws `Rejected` where the host is not loopback and there is no token.
 */
export function createAccess(host: string, token: string | undefined): Access {
  if (token === '') throw new Rejected('token', 'the token is empty')
  if (token !== undefined) {
    const expected = digest(`Bearer ${token}`)
    return ({ headers }, open) =>
      open || timingSafeEqual(digest(bearer(headers.authorization)), expected)
        ? undefined
        : problem(401, 'unauthorized', 'this call needs a token: Authorization: Bearer …')
  }
  if (!isLoopback(host)) {
    throw new Rejected('token', `${host} is not a loopback address: a token is needed`)
  }
  return ({ method, headers }) => {
    if (!isLoopback(hostname(headers.host ?? ''))) {
      const words = 'without a token only requests to a loopback name or address are answered'
      return problem(403, 'foreign-host', words)
    }
    const { origin } = headers
    if (method !== 'GET' && origin !== undefined && origin !== `http://${headers.host ?? ''}`) {
      const words = 'without a token no requests of other web pages are answered'
      return problem(403, 'foreign-origin', words)
    }
    return undefined
  }
}

/** The scheme's name is in any case (RFC 9110, 11.1). Digests are of equal length whatever came. */
function bearer(authorization = ''): string {
  return authorization.replace(/^bearer +/i, 'Bearer ')
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isLoopback(host: string): boolean {
  const name = host.toLowerCase()
  return (
    name === 'localhost' ||
    name === '::1' ||
    name === '[::1]' ||
    (isIP(name) === 4 && name.startsWith('127.'))
  )
}

/** `Host` without its port. */
function hostname(host: string): string {
  return host.replace(/:\d*$/, '')
}
