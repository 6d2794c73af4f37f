import assert from 'node:assert/strict'
import fc from 'fast-check'
import { environmentOf } from '../../../../adapters/scheduler/swarm/spec/environment.ts'
import { serviceSpecOf } from '../../../../adapters/scheduler/swarm/spec/service-spec.ts'
import { compileTaskType } from '../../../../src/core/compose/compile.ts'
import { Rejected } from '../../../../src/core/errors.ts'
import { atPointer, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { serviceSchemaKeys } from './schema-keys.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'

const TOP = {
  secrets: {
    key: { external: true },
    other: { name: 'other-v2' },
    older: { external: { name: 'o1' } },
  },
  configs: { settings: { external: true } },
  networks: { back: { name: 'backend' } },
  volumes: {
    cache: { driver: 'nfs', driver_opts: { o: 'ro' }, labels: { a: 'b' } },
    shared: { external: true, name: 'real' },
  },
}

const unitOf = (service: JsonObject, rest: Partial<UnitSpec> = {}): UnitSpec => {
  const compose = { services: { t: { image: 'i', ...service, 'x-task': {} } }, ...TOP }
  const type = compileTaskType({ name: 't', hash: 'h', directory: '/d', compose }, {})
  return unitNamed('lh-t-1', type.service, rest)
}

const ids = (...names: string[]) => new Map(names.map((name) => [name, `id-${name}`]))

const specOf = (
  service: JsonObject,
  { api = 55, ...rest }: Partial<UnitSpec> & { api?: number } = {},
) =>
  serviceSpecOf(unitOf(service, rest), {
    api,
    image: 'i',
    secretIds: ids('key', 'other-v2', 'o1'),
    configIds: ids('settings'),
  })

const CONTAINER = '/TaskTemplate/ContainerSpec'

const file = (Name: string, more: JsonObject = {}) => ({
  Name,
  UID: '0',
  GID: '0',
  Mode: 0o444,
  ...more,
})

/** What a service's key becomes: where in the spec, and what is there. */
const TABLE: readonly (readonly [
  key: string,
  service: JsonObject,
  at: string,
  expected: Json | undefined,
])[] = [
  ['image', {}, `${CONTAINER}/Image`, 'i'],
  ['entrypoint', { entrypoint: ['a', 'b'] }, `${CONTAINER}/Command`, ['a', 'b']],
  ['entrypoint', { entrypoint: 'a "b c"' }, `${CONTAINER}/Command`, ['a', 'b c']],
  ['entrypoint', {}, `${CONTAINER}/Command`, undefined],
  // The engine takes an empty list for none, and would run the image's.
  ['entrypoint', { entrypoint: [], command: ['a', 'b'] }, `${CONTAINER}/Command`, ['a']],
  ['entrypoint', { entrypoint: [], command: ['a', 'b'] }, `${CONTAINER}/Args`, ['b']],
  ['command', { command: ['{{x}}', ''] }, `${CONTAINER}/Args`, ['{{x}}', '']],
  ['command', {}, `${CONTAINER}/Args`, undefined],
  ['environment', { environment: { A: 'b=c', N: 1 } }, `${CONTAINER}/Env`, ['A=b=c', 'N=1']],
  ['environment', { environment: ['A=b', 'E='] }, `${CONTAINER}/Env`, ['A=b', 'E=']],
  [
    'environment',
    { environment: { A: '{{.Node.ID}}' } },
    `${CONTAINER}/Env`,
    ['A={{"{{"}}.Node.ID}}'],
  ],
  ['working_dir', { working_dir: '/w' }, `${CONTAINER}/Dir`, '/w'],
  ['user', { user: '1:2' }, `${CONTAINER}/User`, '1:2'],
  ['user', { user: 1000 }, `${CONTAINER}/User`, '1000'],
  ['stop_signal', { stop_signal: 'INT' }, `${CONTAINER}/StopSignal`, 'SIGINT'],
  ['stop_signal', {}, `${CONTAINER}/StopSignal`, 'SIGTERM'],
  ['stop_grace_period', { stop_grace_period: '1m30s' }, `${CONTAINER}/StopGracePeriod`, 90e9],
  ['stop_grace_period', {}, `${CONTAINER}/StopGracePeriod`, 10e9],
  [
    'secrets',
    { secrets: ['key'] },
    `${CONTAINER}/Secrets`,
    [{ SecretID: 'id-key', SecretName: 'key', File: file('key') }],
  ],
  [
    'secrets',
    { secrets: [{ source: 'other', target: 't', uid: '1', gid: '2', mode: '0400' }] },
    `${CONTAINER}/Secrets/0`,
    {
      SecretID: 'id-other-v2',
      SecretName: 'other-v2',
      File: { Name: 't', UID: '1', GID: '2', Mode: 0o400 },
    },
  ],
  ['secrets', { secrets: ['older'] }, `${CONTAINER}/Secrets/0/SecretName`, 'o1'],
  [
    'configs',
    { configs: ['settings'] },
    `${CONTAINER}/Configs`,
    [{ ConfigID: 'id-settings', ConfigName: 'settings', File: file('/settings') }],
  ],
  [
    'configs',
    { configs: [{ source: 'settings', target: '/etc/s', mode: 0o440 }] },
    `${CONTAINER}/Configs/0/File`,
    file('/etc/s', { Mode: 0o440 }),
  ],
  ['networks', {}, '/TaskTemplate/Networks', undefined],
  ['networks', {}, '/EndpointSpec', undefined],
  ['networks', { networks: ['back'] }, '/TaskTemplate/Networks', [{ Target: 'backend' }]],
  ['networks', { networks: ['back'] }, '/EndpointSpec', { Mode: 'dnsrr' }],
  [
    'networks',
    { networks: { back: { aliases: ['a'], driver_opts: { x: 1 } } } },
    '/TaskTemplate/Networks',
    [{ Target: 'backend', Aliases: ['a'], DriverOpts: { x: '1' } }],
  ],
  ['network_mode', { network_mode: 'host' }, '/TaskTemplate/Networks', [{ Target: 'host' }]],
  ['network_mode', { network_mode: 'none' }, '/TaskTemplate/Networks', [{ Target: 'none' }]],
  ['network_mode', { network_mode: 'bridge' }, '/TaskTemplate/Networks', undefined],
  [
    'volumes',
    { volumes: ['/h:/c:ro'] },
    `${CONTAINER}/Mounts`,
    [{ Type: 'bind', Source: '/h', Target: '/c', ReadOnly: true }],
  ],
  [
    'volumes',
    { volumes: ['/h:/c:rshared'] },
    `${CONTAINER}/Mounts/0/BindOptions`,
    { Propagation: 'rshared' },
  ],
  [
    'volumes',
    { volumes: ['/anonymous'] },
    `${CONTAINER}/Mounts`,
    [{ Type: 'volume', Target: '/anonymous' }],
  ],
  [
    'volumes',
    { volumes: ['cache:/c:nocopy'] },
    `${CONTAINER}/Mounts`,
    [
      {
        Type: 'volume',
        Source: 'cache',
        Target: '/c',
        VolumeOptions: {
          NoCopy: true,
          Labels: { a: 'b' },
          DriverConfig: { Name: 'nfs', Options: { o: 'ro' } },
        },
      },
    ],
  ],
  [
    'volumes',
    { volumes: ['constructor:/c'] },
    `${CONTAINER}/Mounts`,
    [{ Type: 'volume', Source: 'constructor', Target: '/c' }],
  ],
  [
    'volumes',
    { volumes: ['shared:/c'] },
    `${CONTAINER}/Mounts`,
    [{ Type: 'volume', Source: 'real', Target: '/c' }],
  ],
  [
    'volumes',
    { volumes: [{ type: 'volume', source: 'cache', target: '/c', volume: { subpath: 's' } }] },
    `${CONTAINER}/Mounts/0/VolumeOptions/Subpath`,
    's',
  ],
  [
    'volumes',
    {
      volumes: [
        {
          type: 'bind',
          source: '/h',
          target: '/c',
          read_only: true,
          bind: { propagation: 'shared' },
        },
      ],
    },
    `${CONTAINER}/Mounts`,
    [
      {
        Type: 'bind',
        Source: '/h',
        Target: '/c',
        ReadOnly: true,
        BindOptions: { Propagation: 'shared' },
      },
    ],
  ],
  [
    'volumes',
    { volumes: [{ type: 'tmpfs', target: '/c', tmpfs: { size: '1m', mode: 0o700 } }] },
    `${CONTAINER}/Mounts`,
    [{ Type: 'tmpfs', Target: '/c', TmpfsOptions: { SizeBytes: 1_048_576, Mode: 0o700 } }],
  ],
  ['tmpfs', { tmpfs: '/run' }, `${CONTAINER}/Mounts`, [{ Type: 'tmpfs', Target: '/run' }]],
  [
    'tmpfs',
    { tmpfs: ['/run:size=64m,mode=1777'] },
    `${CONTAINER}/Mounts/0/TmpfsOptions`,
    {
      SizeBytes: 64 * 2 ** 20,
      Mode: 0o1777,
    },
  ],
  [
    'tmpfs',
    { tmpfs: ['/run:uid=1000,exec'] },
    `${CONTAINER}/Mounts/0/TmpfsOptions/Options`,
    [['uid', '1000'], ['exec']],
  ],
  [
    'shm_size',
    { shm_size: '128m' },
    `${CONTAINER}/Mounts`,
    [{ Type: 'tmpfs', Target: '/dev/shm', TmpfsOptions: { SizeBytes: 128 * 2 ** 20 } }],
  ],
  ['healthcheck', {}, `${CONTAINER}/Healthcheck`, { Test: ['NONE'] }],
  [
    'healthcheck',
    { healthcheck: { disable: true } },
    `${CONTAINER}/Healthcheck`,
    { Test: ['NONE'] },
  ],
  [
    'healthcheck',
    { healthcheck: { test: 'true' } },
    `${CONTAINER}/Healthcheck`,
    { Test: ['CMD-SHELL', 'true'] },
  ],
  [
    'healthcheck',
    {
      healthcheck: {
        test: ['CMD', 'a'],
        interval: '1s',
        timeout: '500ms',
        retries: 3,
        start_period: '1m',
        start_interval: '2s',
      },
    },
    `${CONTAINER}/Healthcheck`,
    {
      Test: ['CMD', 'a'],
      Interval: 1e9,
      Timeout: 5e8,
      Retries: 3,
      StartPeriod: 60e9,
      StartInterval: 2e9,
    },
  ],
  [
    'deploy.resources',
    { deploy: { resources: { limits: { cpus: '0.5', memory: '2G', pids: 10 } } } },
    '/TaskTemplate/Resources',
    {
      Limits: { NanoCPUs: 5e8, MemoryBytes: 2 ** 31, Pids: 10 },
    },
  ],
  [
    'deploy.resources',
    {
      deploy: {
        resources: {
          reservations: {
            cpus: 1,
            memory: '1g',
            generic_resources: [{ discrete_resource_spec: { kind: 'gpu', value: 2 } }],
          },
        },
      },
    },
    '/TaskTemplate/Resources',
    {
      Reservations: {
        NanoCPUs: 1e9,
        MemoryBytes: 2 ** 30,
        GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 2 } }],
      },
    },
  ],
  [
    'deploy.placement',
    {
      deploy: {
        placement: {
          constraints: ['node.labels.disk == ssd'],
          preferences: [{ spread: 'node.labels.zone' }],
        },
      },
    },
    '/TaskTemplate/Placement',
    {
      Constraints: ['node.labels.disk == ssd'],
      Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }],
    },
  ],
  ['deploy.labels', { deploy: { labels: { a: 'b' } } }, '/Labels/a', 'b'],
  [
    'deploy.labels',
    { deploy: { labels: ['longhaul.installation=mine'] } },
    '/Labels/longhaul.installation',
    'test',
  ],
  ['labels', { labels: ['a=b'] }, `${CONTAINER}/Labels/a`, 'b'],
  [
    'labels',
    { labels: { 'longhaul.unit': 'mine' } },
    `${CONTAINER}/Labels/longhaul.unit`,
    'lh-t-1',
  ],
  [
    'logging',
    { logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': 3 } } },
    '/TaskTemplate/LogDriver',
    {
      Name: 'json-file',
      Options: { 'max-size': '10m', 'max-file': '3' },
    },
  ],
  ['init', { init: true }, `${CONTAINER}/Init`, true],
  ['init', { init: false }, `${CONTAINER}/Init`, false],
  ['init', {}, `${CONTAINER}/Init`, undefined],
  ['read_only', { read_only: true }, `${CONTAINER}/ReadOnly`, true],
  ['tty', { tty: true }, `${CONTAINER}/TTY`, true],
  ['stdin_open', { stdin_open: true }, `${CONTAINER}/OpenStdin`, true],
  ['hostname', { hostname: 'h' }, `${CONTAINER}/Hostname`, 'h'],
  ['dns', { dns: '1.1.1.1' }, `${CONTAINER}/DNSConfig`, { Nameservers: ['1.1.1.1'] }],
  ['dns_search', { dns_search: ['a', 'b'] }, `${CONTAINER}/DNSConfig`, { Search: ['a', 'b'] }],
  ['dns_opt', { dns_opt: ['ndots:2'] }, `${CONTAINER}/DNSConfig`, { Options: ['ndots:2'] }],
  [
    'extra_hosts',
    { extra_hosts: ['db:10.0.0.1', 'six=[::1]'] },
    `${CONTAINER}/Hosts`,
    ['10.0.0.1 db', '::1 six'],
  ],
  ['extra_hosts', { extra_hosts: { db: '10.0.0.1' } }, `${CONTAINER}/Hosts`, ['10.0.0.1 db']],
  ['cap_add', { cap_add: ['SYS_NICE'] }, `${CONTAINER}/CapabilityAdd`, ['SYS_NICE']],
  ['cap_drop', { cap_drop: ['ALL'] }, `${CONTAINER}/CapabilityDrop`, ['ALL']],
  [
    'security_opt',
    {
      security_opt: [
        'no-new-privileges',
        'seccomp=unconfined',
        'apparmor:unconfined',
        'label=type:t',
      ],
    },
    `${CONTAINER}/Privileges`,
    {
      SELinuxContext: { Type: 't' },
      NoNewPrivileges: true,
      Seccomp: { Mode: 'unconfined' },
      AppArmor: { Mode: 'disabled' },
    },
  ],
  [
    'credential_spec',
    { credential_spec: { file: 'f.json' } },
    `${CONTAINER}/Privileges`,
    { CredentialSpec: { File: 'f.json' } },
  ],
  ['isolation', { isolation: 'hyperv' }, `${CONTAINER}/Isolation`, 'hyperv'],
  ['group_add', { group_add: ['video', 44] }, `${CONTAINER}/Groups`, ['video', '44']],
  [
    'sysctls',
    { sysctls: { 'net.core.somaxconn': 1024 } },
    `${CONTAINER}/Sysctls`,
    { 'net.core.somaxconn': '1024' },
  ],
  [
    'sysctls',
    { sysctls: ['net.core.somaxconn=1024'] },
    `${CONTAINER}/Sysctls`,
    { 'net.core.somaxconn': '1024' },
  ],
  [
    'ulimits',
    { ulimits: { nofile: 10, core: { soft: 1, hard: 2 } } },
    `${CONTAINER}/Ulimits`,
    [
      { Name: 'nofile', Soft: 10, Hard: 10 },
      { Name: 'core', Soft: 1, Hard: 2 },
    ],
  ],
  ['oom_score_adj', { oom_score_adj: 100 }, `${CONTAINER}/OomScoreAdj`, 100],
  [
    'platform',
    { platform: 'linux/arm64/v8' },
    '/TaskTemplate/Placement/Platforms',
    [{ OS: 'linux', Architecture: 'arm64' }],
  ],
]

describe('a unit as a Swarm service', () => {
  it('is one replica that is never started again, with its identity in the labels', () => {
    const unit = unitOf({})
    const spec = specOf({})
    assert.equal(spec['Name'], unit.name)
    assert.deepEqual(spec['Mode'], { Replicated: { Replicas: 1 } })
    assert.deepEqual(atPointer(spec, '/TaskTemplate/RestartPolicy'), {
      Condition: 'none',
      MaxAttempts: 1,
    })
    const labels = {
      'longhaul.installation': 'test',
      'longhaul.unit': 'lh-t-1',
      'longhaul.task-id': unit.identity.taskId,
      'longhaul.task-uid': unit.identity.taskUid,
      'longhaul.task-type': 'test',
      'longhaul.run': '1',
      'longhaul.attempt': '1',
      'longhaul.log-tail-bytes': '16384',
    }
    assert.deepEqual(spec['Labels'], labels)
    assert.deepEqual(atPointer(spec, `${CONTAINER}/Labels`), labels)
  })

  for (const [key, service, at, expected] of TABLE) {
    it(`has ${JSON.stringify(service)} at ${at.split('/').at(-1) ?? at} for ${key}`, () => {
      assert.deepEqual(atPointer(specOf(service), at), expected)
    })
  }

  it('has a memory limit that retries have raised in the place of the written one', () => {
    const deploy = { resources: { limits: { memory: '1g' } } }
    const spec = specOf({ deploy }, { memoryBytes: 2 ** 31 })
    assert.equal(atPointer(spec, '/TaskTemplate/Resources/Limits/MemoryBytes'), 2 ** 31)
  })

  const REFUSED: readonly (readonly [service: JsonObject, says: RegExp, api?: number])[] = [
    [{ working_dir: 'relative' }, /^working_dir: 'relative' must be an absolute path/],
    [{ volumes: ['./rel:/c'] }, /^volumes\[0\]: '\.\/rel' must be an absolute path/],
    [{ volumes: ['~/x:/c'] }, /must be an absolute path/],
    [{ volumes: ['/h:/c:z'] }, /no mount option 'z'/],
    [
      { volumes: [{ type: 'bind', source: '/h', target: '/c', bind: { selinux: 'z' } }] },
      /relabel/,
    ],
    [{ volumes: [{ type: 'odd', target: '/c' }] }, /no mounts of the type 'odd'/],
    [{ volumes: [{ type: 'image', source: 'i', target: '/c' }] }, /no mounts of the type 'image'/],
    [{ secrets: ['gone'] }, /^secrets: the swarm has no secret 'gone'/],
    [{ configs: ['gone'] }, /^configs: the swarm has no config 'gone'/],
    [{ networks: { back: { ipv4_address: '10.0.0.2' } } }, /Swarm gives addresses itself/],
    [{ extra_hosts: ['h:host-gateway'] }, /no host-gateway/],
    [{ security_opt: ['systempaths=unconfined'] }, /Swarm has no 'systempaths=unconfined'/],
    [{ security_opt: ['seccomp=/profile.json'] }, /Swarm has no/],
    [
      { security_opt: ['no-new-privileges'] },
      /needs Engine API 1\.44 or newer, and this swarm has 1\.41/,
      41,
    ],
    [{ oom_score_adj: 1 }, /needs Engine API 1\.46/, 45],
    [{ healthcheck: { test: 'x', start_interval: '1s' } }, /needs Engine API 1\.44/, 43],
    [{ healthcheck: { test: ['run', 'me'] } }, /begins with CMD/],
    [{ tmpfs: '/run:uid=1' }, /needs Engine API 1\.46/, 45],
    [
      { volumes: [{ type: 'volume', source: 'cache', target: '/c', volume: { subpath: 's' } }] },
      /^volumes\[0\]\.volume\.subpath needs Engine API 1\.46/,
      45,
    ],
    [{ command: ['a\0b'] }, /NUL byte/],
    [{ environment: { A: '\0' } }, /NUL byte/],
  ]
  for (const [service, says, api = 55] of REFUSED) {
    it(`is refused for ${JSON.stringify(service)} on API 1.${api}`, () => {
      assert.throws(
        () => specOf(service, { api }),
        (error: unknown) => {
          assert(error instanceof Rejected)
          assert.match(error.message, says)
          return true
        },
      )
    })
  }

  it('has a test or a warning for every key that a service may have', async () => {
    const tested = new Set(TABLE.map(([key]) => key))
    const { NOT_HONOURED } = await import('../../../../adapters/scheduler/swarm/warnings.ts')
    const known = (key: string) => tested.has(key) || key in NOT_HONOURED
    assert.deepEqual(
      serviceSchemaKeys().filter((key) => !known(key)),
      [],
    )
  })

  it('gives every environment value through the template engine as it was', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '"', '-', ' ', 'a', '`') }),
        (value) => {
          const [line = ''] = environmentOf({ A: value })
          assert.equal(printed(line.slice(2)), value)
        },
      ),
    )
  })
})

/** What Go's text/template prints of a text whose only actions are quoted strings. */
function printed(template: string): string {
  let text = ''
  let rest = template
  for (;;) {
    const at = rest.indexOf('{{')
    if (at === -1) return text + rest
    text += rest.slice(0, at)
    const action = /^\{\{"([^"]*)"\}\}/.exec(rest.slice(at))
    assert(action !== null, `no action of ours: ${rest}`)
    text += action[1] ?? ''
    rest = rest.slice(at + action[0].length)
  }
}
