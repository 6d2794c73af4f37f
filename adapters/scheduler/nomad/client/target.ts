import { Rejected } from '../../../../src/core/errors.ts'

/** What the daemon's file says of a Nomad; what it leaves out is the environment's. Paths are absolute. */
export interface NomadSettings {
  readonly address?: string
  readonly region?: string
  readonly namespace?: string
  readonly tokenFile?: string
  readonly tls: {
    readonly caFile?: string
    readonly certFile?: string
    readonly keyFile?: string
    /** Whom the certificate must name: Nomad's own are for `server.<region>.nomad`. */
    readonly serverName?: string
  }
}

/** Where a Nomad is and how it is spoken to, everything decided. */
export interface NomadTarget {
  readonly origin: string
  /** Where a Unix socket is connected to in the origin's place. */
  readonly socketPath?: string
  /** Before every path: a proxy may serve Nomad below one. */
  readonly basePath: string
  readonly region?: string
  readonly namespace: string
  readonly token?: { readonly file: string } | { readonly value: string }
  /** Goes into `Authorization` beside the token: a proxy may ask for it. */
  readonly basicAuth?: string
  readonly tls: {
    readonly caFile?: string
    /** A folder of certificates to trust. */
    readonly caFolder?: string
    readonly certFile?: string
    readonly keyFile?: string
    readonly serverName?: string
    readonly verify: boolean
  }
}

const DEFAULT_ADDRESS = 'http://127.0.0.1:4646'

/**
 * The settings, completed by the variables that Nomad's own client reads (api/api.go, DefaultConfig).
 * `Rejected` for an address or a namespace that cannot be one.
 */
export function targetOf(settings: NomadSettings, env: NodeJS.ProcessEnv): NomadTarget {
  const of = (name: string): string | undefined => (env[name] === '' ? undefined : env[name])
  const region = settings.region ?? of('NOMAD_REGION')
  const token = tokenOf(settings.tokenFile, of('NOMAD_TOKEN'))
  const { basicAuth, ...place } = placeOf(settings.address ?? of('NOMAD_ADDR') ?? DEFAULT_ADDRESS)
  const auth = of('NOMAD_HTTP_AUTH') ?? basicAuth
  const { caFile, certFile, keyFile, serverName } = {
    ...defined({
      caFile: of('NOMAD_CACERT'),
      serverName: of('NOMAD_TLS_SERVER_NAME'),
    }),
    // A certificate goes with its own key alone.
    ...(settings.tls.certFile === undefined &&
      defined({ certFile: of('NOMAD_CLIENT_CERT'), keyFile: of('NOMAD_CLIENT_KEY') })),
    ...settings.tls,
  }
  const caFolder = caFile === undefined ? of('NOMAD_CAPATH') : undefined
  return {
    ...place,
    ...(region !== undefined && { region }),
    namespace: namespaceOf(settings.namespace ?? of('NOMAD_NAMESPACE') ?? 'default'),
    ...(token !== undefined && { token }),
    ...(auth !== undefined && { basicAuth: auth.includes(':') ? auth : `${auth}:` }),
    tls: {
      ...defined({ caFile, caFolder, certFile, keyFile, serverName }),
      verify: !isTrue(of('NOMAD_SKIP_VERIFY')),
    },
  }
}

/** `*` is a question that may be asked, and no place for a job. */
function namespaceOf(name: string): string {
  if (name !== '*') return name
  throw new Rejected('nomad-namespace', 'Nomad: it takes one namespace, not `*`')
}

function tokenOf(file: string | undefined, value: string | undefined): NomadTarget['token'] {
  if (file !== undefined) return { file }
  return value === undefined ? undefined : { value }
}

function placeOf(
  address: string,
): Pick<NomadTarget, 'origin' | 'socketPath' | 'basePath' | 'basicAuth'> {
  const url = URL.parse(address)
  if (url?.protocol === 'unix:' && url.pathname.startsWith('/')) {
    const socketPath = decodeURIComponent(url.pathname)
    return { origin: 'http://127.0.0.1', socketPath, basePath: '' }
  }
  if ((url?.protocol !== 'http:' && url?.protocol !== 'https:') || url.hostname === '') {
    throw new Rejected(
      'nomad-address',
      `Nomad's address must be a URL such as \`${DEFAULT_ADDRESS}\` or \`unix:///path/api.sock\``,
    )
  }
  const user = decodeURIComponent(url.username)
  const password = decodeURIComponent(url.password)
  return {
    origin: url.origin,
    basePath: url.pathname.replace(/\/+$/, ''),
    ...(user !== '' && { basicAuth: `${user}:${password}` }),
  }
}

/** As Go's `strconv.ParseBool`. */
function isTrue(text: string | undefined): boolean {
  return ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text ?? '')
}

function defined<T extends Readonly<Record<string, string | undefined>>>(
  values: T,
): { readonly [Key in keyof T]?: string } {
  const there = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(there) as { [Key in keyof T]?: string }
}
