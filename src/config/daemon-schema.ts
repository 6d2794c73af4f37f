import type { Schema } from './schema.ts'
import { bytes, flag, integer, keys, list, oneOf, text } from './schema.ts'

/**
 * Linux gives one environment string 128 KiB (MAX_ARG_STRLEN), the name and the final NUL of
 * `LONGHAUL_INPUT=…` included.
 */
const LARGEST_INPUT = 131_072 - 'LONGHAUL_INPUT='.length - 1

export const DEFAULTS = {
  data: '../data',
  tasks: './tasks',
  queue: 'longhaul',
  queueType: 'quorum',
  migrate: true,
  socket: '/var/run/docker.sock',
  listen: '127.0.0.1:8420',
  inFlight: 200,
  input: '64K',
} as const

const passwordFile = text('The file that holds the password.')

const migrate = flag(
  'Whether the daemon brings the schema up to date; if not, `longhaul migrate` does.',
  { default: DEFAULTS.migrate },
)

const url = (description: string, schemes: string, example: string): Schema =>
  text(description, {
    pattern: `^(${schemes})://[^\\s/]`,
    'x-expects': `a URL such as \`${example}\``,
  })

interface Kind {
  readonly kind: string
  readonly description: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

/** One of several kinds, told apart by `kind`. */
const kinds = (description: string, choices: readonly Kind[]): Schema => ({
  description,
  type: 'object',
  required: ['kind'],
  default: { kind: choices[0]?.kind ?? '' },
  discriminator: { propertyName: 'kind' },
  oneOf: choices.map((choice) =>
    keys(
      choice.description,
      { kind: { const: choice.kind }, ...choice.properties },
      { required: ['kind', ...(choice.required ?? [])] },
    ),
  ),
})

/** The daemon's file. */
export const daemonSchema: Schema = keys(
  'The daemon’s file. Relative paths are from its folder; every key may be left out.',
  {
    data: text('The folder of what the embedded parts and the process scheduler keep.', {
      default: DEFAULTS.data,
    }),
    tasks: text('The folder of the task types.', { default: DEFAULTS.tasks }),
    bus: kinds('Where commands come from and events go.', [
      { kind: 'embedded', description: 'In the store: no service needed.' },
      {
        kind: 'rabbitmq',
        description: 'RabbitMQ.',
        properties: {
          url: url('Where it is.', 'amqps?', 'amqp://longhaul@rabbitmq'),
          queue: text('The daemon’s queue.', { default: DEFAULTS.queue }),
          queue_type: oneOf(
            'Quorum queues are replicated; a classic one is lost with its node.',
            ['quorum', 'classic'],
            { default: DEFAULTS.queueType },
          ),
          password_file: passwordFile,
          ca_file: text('With amqps: the certificates to trust in place of the system’s.'),
          cert_file: text(
            'With amqps: the daemon’s own certificate, where the server asks for one.',
          ),
          key_file: text('The private key of that certificate.'),
        },
        required: ['url'],
      },
    ]),
    store: kinds('Where tasks and events are kept.', [
      {
        kind: 'sqlite',
        description: 'A file under `data`: no service needed, one daemon at a time.',
        properties: { migrate },
      },
      {
        kind: 'postgres',
        description: 'Postgres 13 or newer: several daemons may share it.',
        properties: {
          url: url('Where it is.', 'postgres(?:ql)?', 'postgres://longhaul@postgres/longhaul'),
          password_file: passwordFile,
          listen_url: url(
            'Where LISTEN works, if `url` leads through a pooler where it does not.',
            'postgres(?:ql)?',
            'postgres://longhaul@postgres/longhaul',
          ),
          migrate,
        },
        required: ['url'],
      },
    ]),
    scheduler: kinds('What runs the tasks.', [
      { kind: 'process', description: 'Processes on this machine: for development.' },
      {
        kind: 'swarm',
        description: 'Docker Swarm.',
        properties: {
          socket: text('The Docker socket of a manager.', { default: DEFAULTS.socket }),
          control_socket: text(
            'A manager’s control socket or, better, its folder `/run/docker/swarm`: ends of tasks are heard of as they come.',
          ),
          registry_auth_file: text(
            'A Docker `config.json` with the registries’ credentials; credential helpers are not asked.',
          ),
          allowed_images: list(
            'The images that may run, `*` for anything: `registry.example.com/team/*`. Without it, any.',
            { type: 'string', minLength: 1 },
            { minItems: 1 },
          ),
          require_digest: flag(
            'Runs images by digest alone: the one that is written, or the one that the registry tells.',
            { default: false },
          ),
        },
      },
      {
        kind: 'nomad',
        description:
          'Nomad. What is left out is taken from the variables that Nomad’s own client reads: `NOMAD_ADDR`, `NOMAD_TOKEN`, `NOMAD_CACERT` and their kin.',
        properties: {
          address: text(
            'Where its HTTP API is; a Unix socket is `unix:///path`. Without it `NOMAD_ADDR`, else `http://127.0.0.1:4646`.',
            {
              pattern: '^(https?://[^\\s/]|unix:///[^\\s/])',
              'x-expects': 'a URL such as `http://127.0.0.1:4646` or `unix:///run/nomad/api.sock`',
            },
          ),
          token_file: text(
            'The file that holds the ACL token; it is read anew for each call. Without it `NOMAD_TOKEN`.',
          ),
          namespace: text(
            'The namespace of the jobs: better one of their own. Without it `NOMAD_NAMESPACE`, else `default`.',
            {
              pattern: '^[a-zA-Z0-9-]{1,128}$',
              'x-expects': 'the name of one namespace: letters, digits and `-`, at most 128',
            },
          ),
          region: text('The region. Without it `NOMAD_REGION`, else the agent’s own.'),
          ca_file: text(
            'With https: the certificates to trust in place of the system’s. Without it `NOMAD_CACERT`, `NOMAD_CAPATH`.',
          ),
          cert_file: text(
            'With https: the daemon’s own certificate. Without it `NOMAD_CLIENT_CERT`.',
          ),
          key_file: text('The private key of that certificate. Without it `NOMAD_CLIENT_KEY`.'),
          server_name: text(
            'With https: whom the certificate names, such as `server.global.nomad`. Without it `NOMAD_TLS_SERVER_NAME`, else the address’s host.',
          ),
        },
      },
    ]),
    http: keys('The HTTP API.', {
      listen: text('Where it listens; port 0 takes a free one, which is logged.', {
        default: DEFAULTS.listen,
        'x-expects': '`host:port`, such as `127.0.0.1:8420` or `[::1]:8420`',
      }),
      token_file: text('The file that holds the token; needed anywhere but on loopback.'),
    }),
    limits: keys('Bounds of the whole daemon.', {
      in_flight: integer('Attempts at once, over all types.', {
        default: DEFAULTS.inFlight,
        minimum: 1,
        maximum: 100_000,
      }),
      input: bytes('The largest input of a task, as JSON.', {
        default: DEFAULTS.input,
        max: LARGEST_INPUT,
        'x-expects': `a size of at most 127K (a task gets its input as an environment string, and Linux gives one 128 KiB)`,
      }),
    }),
  },
)
