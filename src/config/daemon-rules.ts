import { isJsonObject } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { isLoopback, parseListen } from './listen.ts'
import { atPath, valueProblem } from './problem.ts'
import type { Path, Problem } from './problem.ts'

/** What must hold of the daemon's file beyond its schema. */
export function daemonProblems(data: Json): readonly Problem[] {
  const urls: readonly Path[] = [
    ['bus', 'url'],
    ['store', 'url'],
    ['store', 'listen_url'],
    ['scheduler', 'address'],
  ]
  return [
    ...urls.flatMap((path) => [...passwordProblems(data, path), ...percentProblems(data, path)]),
    ...tlsProblems(data),
    ...listenProblems(data),
  ]
}

function passwordProblems(data: Json, path: Path): Problem[] {
  const url = atPath(data, path)
  // Whoever may read the configuration, and whatever prints it, would have the password; that of a
  // server on the machine's own loopback (guest:guest and the like) guards nothing.
  if (typeof url !== 'string' || !/^\w+:\/\/[^/?#]*:[^/?#]*@/.test(url)) return []
  const host = URL.parse(url)?.hostname.replace(/^\[|\]$/g, '')
  if (host !== undefined && isLoopback(host)) return []
  // Nomad's own is a token. A password is for what stands before it, and the environment alone has a place.
  const remedy =
    path[0] === 'scheduler'
      ? 'take user and password out and give them to the daemon as NOMAD_HTTP_AUTH (`user:password`)'
      : 'put it into a file and name that in `password_file`'
  return [valueProblem(path, `holds a password: ${remedy}`)]
}

/** What would be read with an error by everybody who takes the URL apart. */
function percentProblems(data: Json, path: Path): Problem[] {
  const url = atPath(data, path)
  if (typeof url !== 'string' || !/%(?![0-9a-f]{2})/i.test(url)) return []
  return [valueProblem(path, 'holds a `%` that encodes nothing: write it as `%25`')]
}

/** What would be left unread: the connection would not be what its author thinks. */
function tlsProblems(data: Json): Problem[] {
  const parts: readonly TlsPart[] = [
    { part: 'bus', urlKey: 'url', scheme: 'amqps', keys: TLS_FILES },
    { part: 'scheduler', urlKey: 'address', scheme: 'https', keys: [...TLS_FILES, 'server_name'] },
  ]
  return parts.flatMap((part) => tlsProblemsOf(data, part))
}

const TLS_FILES = ['ca_file', 'cert_file', 'key_file']

interface TlsPart {
  readonly part: string
  readonly urlKey: string
  readonly scheme: string
  /** The keys that mean something with TLS alone. */
  readonly keys: readonly string[]
}

function tlsProblemsOf(data: Json, { part, urlKey, scheme, keys }: TlsPart): Problem[] {
  const written = atPath(data, [part])
  if (!isJsonObject(written)) return []
  const given = keys.filter((key) => written[key] !== undefined)
  const url = written[urlKey]
  const inTheOpen = typeof url === 'string' && !url.startsWith(`${scheme}:`)
  const problems = given.flatMap((key) =>
    inTheOpen
      ? [valueProblem([part, key], `is for TLS: the URL must begin with \`${scheme}://\``)]
      : [],
  )
  if (given.includes('cert_file') === given.includes('key_file')) return problems
  const [there, missing] = given.includes('cert_file')
    ? ['cert_file', 'key_file']
    : ['key_file', 'cert_file']
  return [...problems, valueProblem([part, there], `is of no use without a \`${missing}\``)]
}

function listenProblems(data: Json): Problem[] {
  const path = ['http', 'listen']
  const written = atPath(data, path)
  if (typeof written !== 'string' || written === '') return []
  const listen = parseListen(written)
  if (listen === undefined) {
    const not = JSON.stringify(written)
    return [
      valueProblem(
        path,
        `must be \`host:port\`, such as \`127.0.0.1:8420\` or \`[::1]:8420\`, not ${not}`,
      ),
    ]
  }
  const http = atPath(data, ['http'])
  const token = isJsonObject(http) ? http['token_file'] : undefined
  if (isLoopback(listen.host) || token !== undefined) return []
  return [
    valueProblem(
      path,
      `\`${listen.host}\` can be reached from other machines: name a \`token_file\`, or listen on 127.0.0.1`,
    ),
  ]
}
