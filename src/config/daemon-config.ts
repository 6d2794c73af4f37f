import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseBytes } from '../core/compose/bytes.ts'
import { ConfigError, errorMessage } from '../core/errors.ts'
import { DEFAULTS, daemonSchema } from './daemon-schema.ts'
import { daemonProblems } from './daemon-rules.ts'
import { parseListen } from './listen.ts'
import type { Listen } from './listen.ts'
import { atPath } from './problem.ts'
import { schemaCheck } from './schema-check.ts'
import { byPlace } from './task-type-file.ts'
import { parseYaml } from './yaml-file.ts'

/** The daemon's file with every default applied. Paths are absolute; secrets stay in their files. */
export interface DaemonConfig {
  readonly file: string
  readonly data: string
  readonly tasks: string
  readonly bus:
    | { readonly kind: 'embedded' }
    | {
        readonly kind: 'rabbitmq'
        readonly url: string
        readonly queue: string
        readonly queueType: 'quorum' | 'classic'
        readonly passwordFile?: string
        readonly tls: TlsFiles
      }
  readonly store:
    | { readonly kind: 'sqlite'; readonly migrate: boolean }
    | {
        readonly kind: 'postgres'
        readonly migrate: boolean
        readonly url: string
        readonly passwordFile?: string
        readonly listenUrl?: string
      }
  readonly scheduler:
    | { readonly kind: 'process' }
    | {
        readonly kind: 'swarm'
        readonly socket: string
        readonly controlSocket?: string
        readonly images: {
          /** Patterns of which an image must meet one; absent: any image may run. */
          readonly allowed?: readonly string[]
          readonly requireDigest: boolean
          readonly authFile?: string
        }
      }
    | {
        readonly kind: 'nomad'
        /** What is not written here may still be said by the environment. */
        readonly address?: string
        readonly namespace?: string
        readonly region?: string
        readonly tokenFile?: string
        readonly tls: TlsFiles & { readonly serverName?: string }
      }
  readonly http: { readonly listen: Listen; readonly tokenFile?: string }
  readonly limits: { readonly inFlight: number; readonly inputBytes: number }
}

/** PEM files of a connection over TLS. */
export interface TlsFiles {
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

/** Looked at in this order where neither `--config` nor `LONGHAUL_CONFIG` says otherwise. */
const PLACES = ['config/longhaul.yml', '/etc/longhaul/longhaul.yml']

/**
 * The daemon's file: what `--config` says, else `LONGHAUL_CONFIG`, else `./config/longhaul.yml`, else
 * `/etc/longhaul/longhaul.yml`. A file that was asked for by name is taken or missed, never passed
 * over. Throws `ConfigError` naming every place.
 */
export function findDaemonConfig(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): string {
  const fromEnv = env['LONGHAUL_CONFIG']
  const asked = flag ?? (fromEnv === '' ? undefined : fromEnv)
  if (asked !== undefined) {
    const file = resolve(cwd, asked)
    if (existsSync(file)) return file
    const who = flag === undefined ? 'LONGHAUL_CONFIG' : '--config'
    throw new ConfigError([{ file, message: `no such file, and ${who} names it` }])
  }
  const files = PLACES.map((place) => resolve(cwd, place))
  const found = files.find((file) => existsSync(file))
  if (found !== undefined) return found
  const looked = ['--config (not given)', 'LONGHAUL_CONFIG (not set)', ...files].join(', ')
  const message = `no configuration found. Looked at ${looked}. Name one with --config FILE`
  throw new ConfigError([{ file: 'longhaul.yml', message }])
}

/** Reads the daemon's file. Throws `ConfigError` with every mistake at its line and column. */
export async function loadDaemonConfig(file: string): Promise<DaemonConfig> {
  const yaml = parseYaml(file, await textOf(file))
  // A file that is empty, or all comments, says nothing against the defaults.
  const data = yaml.data === null ? {} : yaml.data
  const problems =
    data === undefined ? [] : [...check.problems(data, data), ...daemonProblems(data)]
  const issues = [...yaml.issues, ...problems.map((problem) => yaml.locate(problem))]
  if (data === undefined || issues.length > 0) throw new ConfigError(issues.sort(byPlace))
  return configOf(resolve(file), data as FileShape)
}

/** What a file with mistakes tells all the same: the folder of task types and the scheduler's kind. */
export async function toldByDaemonConfig(
  file: string,
): Promise<{ readonly tasks?: string; readonly scheduler?: string }> {
  const data = parseYaml(file, await textOf(file)).data ?? {}
  const kind = atPath(data, ['scheduler', 'kind'])
  const written = atPath(data, ['tasks'])
  const tasks = resolve(dirname(file), typeof written === 'string' ? written : DEFAULTS.tasks)
  return {
    // The default's absence is no mistake of its own: the key may be there with a letter wrong.
    ...((typeof written === 'string' || existsSync(tasks)) && { tasks }),
    ...(typeof kind === 'string' && { scheduler: kind }),
  }
}

const check = schemaCheck(daemonSchema)

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError([{ file, message: `cannot be read: ${errorMessage(error)}` }])
  }
}

/** The file as the schema has it. */
interface FileShape {
  readonly data?: string
  readonly tasks?: string
  readonly bus?:
    | Kinded<'embedded'>
    | (Kinded<'rabbitmq'> &
        Server &
        CertificateFiles & {
          readonly queue?: string
          readonly queue_type?: 'quorum' | 'classic'
        })
  readonly store?: { readonly migrate?: boolean } & (
    Kinded<'sqlite'> | (Kinded<'postgres'> & Server & { readonly listen_url?: string })
  )
  readonly scheduler?:
    | Kinded<'process'>
    | (Kinded<'swarm'> & {
        readonly socket?: string
        readonly control_socket?: string
        readonly registry_auth_file?: string
        readonly allowed_images?: readonly string[]
        readonly require_digest?: boolean
      })
    | (Kinded<'nomad'> &
        CertificateFiles & {
          readonly address?: string
          readonly token_file?: string
          readonly namespace?: string
          readonly region?: string
          readonly server_name?: string
        })
  readonly http?: { readonly listen?: string; readonly token_file?: string }
  readonly limits?: { readonly in_flight?: number; readonly input?: string | number }
}
interface Kinded<Kind extends string> {
  readonly kind: Kind
}
interface Server {
  readonly url: string
  readonly password_file?: string
}
interface CertificateFiles {
  readonly ca_file?: string
  readonly cert_file?: string
  readonly key_file?: string
}

function configOf(file: string, written: FileShape): DaemonConfig {
  const path = (name: string) => resolve(dirname(file), name)
  const tokenFile = written.http?.token_file
  return {
    file,
    data: path(written.data ?? DEFAULTS.data),
    tasks: path(written.tasks ?? DEFAULTS.tasks),
    bus: busOf(written.bus, path),
    store: storeOf(written.store, path),
    scheduler: schedulerOf(written.scheduler, path),
    http: {
      listen: parseListen(written.http?.listen ?? DEFAULTS.listen) ?? {
        host: '127.0.0.1',
        port: 0,
      },
      ...(tokenFile !== undefined && { tokenFile: path(tokenFile) }),
    },
    limits: {
      inFlight: written.limits?.in_flight ?? DEFAULTS.inFlight,
      inputBytes: parseBytes(written.limits?.input ?? DEFAULTS.input) ?? 0,
    },
  }
}

type PathOf = (name: string) => string

function busOf(bus: FileShape['bus'], path: PathOf): DaemonConfig['bus'] {
  if (bus === undefined || bus.kind === 'embedded') return { kind: 'embedded' }
  return {
    kind: bus.kind,
    url: bus.url,
    queue: bus.queue ?? DEFAULTS.queue,
    queueType: bus.queue_type ?? DEFAULTS.queueType,
    ...(bus.password_file !== undefined && { passwordFile: path(bus.password_file) }),
    tls: tlsFilesOf(bus, path),
  }
}

function tlsFilesOf(written: CertificateFiles, path: PathOf): TlsFiles {
  const { ca_file: ca, cert_file: cert, key_file: key } = written
  return {
    ...(ca !== undefined && { caFile: path(ca) }),
    ...(cert !== undefined && { certFile: path(cert) }),
    ...(key !== undefined && { keyFile: path(key) }),
  }
}

function storeOf(store: FileShape['store'], path: PathOf): DaemonConfig['store'] {
  const migrate = store?.migrate ?? DEFAULTS.migrate
  if (store === undefined || store.kind === 'sqlite') return { kind: 'sqlite', migrate }
  return {
    kind: store.kind,
    migrate,
    url: store.url,
    ...(store.password_file !== undefined && { passwordFile: path(store.password_file) }),
    ...(store.listen_url !== undefined && { listenUrl: store.listen_url }),
  }
}

function schedulerOf(scheduler: FileShape['scheduler'], path: PathOf): DaemonConfig['scheduler'] {
  if (scheduler === undefined || scheduler.kind === 'process') return { kind: 'process' }
  if (scheduler.kind === 'swarm') {
    const {
      control_socket: control,
      allowed_images: allowed,
      registry_auth_file: authFile,
    } = scheduler
    return {
      kind: scheduler.kind,
      socket: path(scheduler.socket ?? DEFAULTS.socket),
      ...(control !== undefined && { controlSocket: path(control) }),
      images: {
        ...(allowed !== undefined && { allowed }),
        requireDigest: scheduler.require_digest ?? false,
        ...(authFile !== undefined && { authFile: path(authFile) }),
      },
    }
  }
  const { address, namespace, region, token_file: token, server_name: serverName } = scheduler
  return {
    kind: scheduler.kind,
    ...(address !== undefined && { address }),
    ...(namespace !== undefined && { namespace }),
    ...(region !== undefined && { region }),
    ...(token !== undefined && { tokenFile: path(token) }),
    tls: { ...tlsFilesOf(scheduler, path), ...(serverName !== undefined && { serverName }) },
  }
}
