import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findDaemonConfig, loadDaemonConfig } from '../../src/config/daemon-config.ts'
import { folderOf, mistakes, ROOT } from './files.ts'

const load = async (text: string) => {
  await using folder = await folderOf({ 'longhaul.yml': text })
  const { file: _, ...config } = await loadDaemonConfig(join(folder.path, 'longhaul.yml'))
  return { config, folder: folder.path }
}

const told = async (text: string) => {
  await using folder = await folderOf({ 'longhaul.yml': text })
  return await mistakes(folder.path, () => loadDaemonConfig(join(folder.path, 'longhaul.yml')))
}

describe('the daemon’s file', () => {
  it('as it is shipped is all embedded, and says what the defaults are', async () => {
    const shipped = await loadDaemonConfig(join(ROOT, 'config/longhaul.yml'))
    assert.deepEqual(shipped, {
      file: join(ROOT, 'config/longhaul.yml'),
      data: join(ROOT, 'data'),
      tasks: join(ROOT, 'config/tasks'),
      bus: { kind: 'embedded' },
      store: { kind: 'sqlite', migrate: true },
      scheduler: { kind: 'process' },
      http: { listen: { host: '127.0.0.1', port: 8420 } },
      limits: { inFlight: 200, inputBytes: 65_536 },
    })
    for (const text of ['', '# nothing\n', '{}']) {
      const { config, folder } = await load(text)
      const { file: _, ...same } = shipped
      const paths = { data: join(folder, '../data'), tasks: join(folder, 'tasks') }
      assert.deepEqual(config, { ...same, ...paths })
    }
  })

  it('may name RabbitMQ, Postgres and a swarm', async () => {
    const { config, folder } = await load(`
data: /var/lib/longhaul
tasks: types
bus: { kind: rabbitmq, url: 'amqps://longhaul@rabbitmq', password_file: secrets/bus, ca_file: ca.pem }
store:
  kind: postgres
  url: postgres://longhaul@pooler/longhaul
  listen_url: postgres://longhaul@postgres/longhaul
  password_file: /run/secrets/store
  migrate: false
scheduler:
  kind: swarm
  control_socket: /run/docker/swarm/control.sock
  registry_auth_file: secrets/registry.json
  allowed_images: ['registry.example.com/*']
  require_digest: true
http: { listen: '0.0.0.0:80', token_file: token }
limits: { in_flight: 5, input: 100k }
`)
    assert.deepEqual(config, {
      data: '/var/lib/longhaul',
      tasks: join(folder, 'types'),
      bus: {
        kind: 'rabbitmq',
        url: 'amqps://longhaul@rabbitmq',
        queue: 'longhaul',
        queueType: 'quorum',
        passwordFile: join(folder, 'secrets/bus'),
        tls: { caFile: join(folder, 'ca.pem') },
      },
      store: {
        kind: 'postgres',
        migrate: false,
        url: 'postgres://longhaul@pooler/longhaul',
        listenUrl: 'postgres://longhaul@postgres/longhaul',
        passwordFile: '/run/secrets/store',
      },
      scheduler: {
        kind: 'swarm',
        socket: '/var/run/docker.sock',
        controlSocket: '/run/docker/swarm/control.sock',
        images: {
          allowed: ['registry.example.com/*'],
          requireDigest: true,
          authFile: join(folder, 'secrets/registry.json'),
        },
      },
      http: { listen: { host: '0.0.0.0', port: 80 }, tokenFile: join(folder, 'token') },
      limits: { inFlight: 5, inputBytes: 102_400 },
    })
  })

  it('may name Nomad, and leaves to the environment what it does not say', async () => {
    const { config } = await load('scheduler: { kind: nomad, token_file: /t }')
    assert.deepEqual(config.scheduler, { kind: 'nomad', tokenFile: '/t', tls: {} })
    const all = await load(`
scheduler:
  kind: nomad
  address: https://nomad.example.com:4646
  namespace: longhaul
  region: eu
  token_file: secrets/token
  ca_file: ca.pem
  cert_file: c.pem
  key_file: /k.pem
  server_name: server.eu.nomad
`)
    assert.deepEqual(all.config.scheduler, {
      kind: 'nomad',
      address: 'https://nomad.example.com:4646',
      namespace: 'longhaul',
      region: 'eu',
      tokenFile: join(all.folder, 'secrets/token'),
      tls: {
        caFile: join(all.folder, 'ca.pem'),
        certFile: join(all.folder, 'c.pem'),
        keyFile: '/k.pem',
        serverName: 'server.eu.nomad',
      },
    })
    const socket = 'unix:///secrets/api.sock'
    const { scheduler } = (await load(`scheduler: { kind: nomad, address: '${socket}' }`)).config
    assert.deepEqual(scheduler, { kind: 'nomad', address: socket, tls: {} })
  })

  it('listens on names, IPv4, IPv6 and any free port', async () => {
    const cases: [string, { host: string; port: number }][] = [
      ['localhost:0', { host: 'localhost', port: 0 }],
      ['127.9.9.9:65535', { host: '127.9.9.9', port: 65_535 }],
      ['[::1]:8420', { host: '::1', port: 8420 }],
    ]
    for (const [text, listen] of cases) {
      assert.deepEqual((await load(`http: { listen: '${text}' }`)).config.http, { listen })
    }
  })

  const reached = 'can be reached from other machines: name a `token_file`, or listen on 127.0.0.1'
  const noListen = 'must be `host:port`, such as `127.0.0.1:8420` or `[::1]:8420`, not'
  const size =
    'must be a size of at most 127K (a task gets its input as an environment string, and Linux gives one 128 KiB), not'
  const cases: readonly (readonly [title: string, text: string, ...told: string[]])[] = [
    ['a list', '[]', '1:1: must be a mapping, not a list'],
    ['broken syntax', 'bus: }', '1:6: not YAML: Unexpected flow-map-end token in YAML stream: "}"'],
    [
      'an unknown key',
      'databse: x',
      '1:1: unknown key `databse`: the keys here are data, tasks, bus, store, scheduler, http, limits',
    ],
    [
      'a key with a slip',
      'shceduler: {}',
      '1:1: unknown key `shceduler`: did you mean `scheduler`?',
    ],
    ['no kind', 'bus: { queue: x }', '1:1: `kind` is missing: one of `embedded`, `rabbitmq`'],
    [
      'an unknown kind',
      'store: { kind: postgresql }',
      '1:16: must be one of `sqlite`, `postgres`, not "postgresql": did you mean `postgres`?',
    ],
    [
      'a key of another kind',
      'scheduler: { kind: swarm, address: x }',
      '1:27: unknown key `address`: the keys here are kind, socket, control_socket, registry_auth_file, allowed_images, require_digest',
    ],
    ['no URL', 'bus: { kind: rabbitmq }', '1:1: `url` is missing'],
    [
      'a percent sign that encodes nothing',
      'bus: { kind: rabbitmq, url: amqp://x/% }',
      '1:29: holds a `%` that encodes nothing: write it as `%25`',
    ],
    [
      'a certificate without TLS',
      'bus: { kind: rabbitmq, url: amqp://x, ca_file: ca.pem }',
      '1:48: is for TLS: the URL must begin with `amqps://`',
    ],
    [
      'a certificate without its key',
      'bus: { kind: rabbitmq, url: amqps://x, cert_file: c.pem }',
      '1:51: is of no use without a `key_file`',
    ],
    [
      'the name of a certificate without TLS',
      'scheduler: { kind: nomad, address: http://x, server_name: y }',
      '1:59: is for TLS: the URL must begin with `https://`',
    ],
    [
      'all namespaces at once',
      "scheduler: { kind: nomad, namespace: '*' }",
      '1:38: must be the name of one namespace: letters, digits and `-`, at most 128, not "*"',
    ],
    [
      'a socket without its path',
      'scheduler: { kind: nomad, address: unix:// }',
      '1:36: must be a URL such as `http://127.0.0.1:4646` or `unix:///run/nomad/api.sock`, not "unix://"',
    ],
    [
      'another URL',
      'bus: { kind: rabbitmq, url: http://x }',
      '1:29: must be a URL such as `amqp://longhaul@rabbitmq`, not "http://x"',
    ],
    [
      'a password in the open',
      'store: { kind: postgres, url: postgres://a:b@c/d }',
      '1:31: holds a password: put it into a file and name that in `password_file`',
    ],
    [
      'a password for what stands before Nomad',
      'scheduler: { kind: nomad, address: https://user:pass@proxy }',
      '1:36: holds a password: take user and password out and give them to the daemon as NOMAD_HTTP_AUTH (`user:password`)',
    ],
    [
      'an address for all without a token',
      'http: { listen: 0.0.0.0:80 }',
      `1:17: \`0.0.0.0\` ${reached}`,
    ],
    [
      'an IPv6 address for all without a token',
      "http: { listen: '[::]:80' }",
      `1:17: \`::\` ${reached}`,
    ],
    ['a port alone', "http: { listen: ':80' }", `1:17: ${noListen} ":80"`],
    [
      'a port beyond all',
      "http: { listen: '127.0.0.1:65536' }",
      `1:17: ${noListen} "127.0.0.1:65536"`,
    ],
    ['a bare IPv6 address', "http: { listen: '::1:80' }", `1:17: ${noListen} "::1:80"`],
    ['an input larger than Linux lets through', 'limits: { input: 128K }', `1:18: ${size} "128K"`],
    ['nothing in flight', 'limits: { in_flight: 0 }', '1:22: must be at least 1, not 0'],
  ]
  for (const [title, text, ...expected] of cases) {
    it(`is refused at the place of the mistake: ${title}`, async () => {
      assert.deepEqual(
        await told(text),
        expected.map((line) => `longhaul.yml:${line}`),
      )
    })
  }

  it('tells all mistakes at once, in their order, and never the password', async () => {
    const lines = await told(
      'limits: { in_flight: 0 }\nbus: { kind: rabbitmq, url: amqp://a:secret@b }\nx: 1\n',
    )
    assert.deepEqual(
      lines.map((line) => line.split(' ', 1)[0]),
      ['longhaul.yml:1:22:', 'longhaul.yml:2:29:', 'longhaul.yml:3:1:'],
    )
    const mistyped = await told('store: { kind: postgres, url: postgress://a:secret@b }')
    assert.equal(mistyped.length, 2)
    assert.doesNotMatch([...lines, ...mistyped].join('\n'), /secret/)
  })

  it('that cannot be read is a mistake of the configuration', async () => {
    await using folder = await folderOf({})
    const [line] = await mistakes(folder.path, () => loadDaemonConfig(folder.path))
    assert.match(line ?? '', /cannot be read: EISDIR/)
  })
})

describe('finding the daemon’s file', () => {
  it('goes by --config, then LONGHAUL_CONFIG, then ./config/longhaul.yml', async () => {
    await using folder = await folderOf({ 'flag.yml': '', 'env.yml': '' })
    const path = (name: string) => join(folder.path, name)
    await mkdir(path('config'))
    await writeFile(path('config/longhaul.yml'), '')
    const env = { LONGHAUL_CONFIG: 'env.yml' }
    assert.equal(findDaemonConfig('flag.yml', env, folder.path), path('flag.yml'))
    assert.equal(findDaemonConfig(path('flag.yml'), env, '/'), path('flag.yml'))
    assert.equal(findDaemonConfig(undefined, env, folder.path), path('env.yml'))
    for (const none of [{}, { LONGHAUL_CONFIG: '' }]) {
      assert.equal(findDaemonConfig(undefined, none, folder.path), path('config/longhaul.yml'))
    }
  })

  it('never passes over a file that was asked for', async () => {
    await using folder = await folderOf({ 'env.yml': '' })
    const find = (flag?: string, value?: string) =>
      mistakes(folder.path, () =>
        Promise.resolve().then(() =>
          findDaemonConfig(flag, { LONGHAUL_CONFIG: value }, folder.path),
        ),
      )
    assert.deepEqual(await find('no.yml', 'env.yml'), [
      'no.yml: no such file, and --config names it',
    ])
    assert.deepEqual(await find(undefined, 'no.yml'), [
      'no.yml: no such file, and LONGHAUL_CONFIG names it',
    ])
  })

  it('names every place where there is none', async () => {
    await using folder = await folderOf({})
    const lines = await mistakes(folder.path, () =>
      Promise.resolve().then(() => findDaemonConfig(undefined, {}, folder.path)),
    )
    assert.deepEqual(lines, [
      'longhaul.yml: no configuration found. Looked at --config (not given), LONGHAUL_CONFIG (not set), config/longhaul.yml, /etc/longhaul/longhaul.yml. Name one with --config FILE',
    ])
  })
})
