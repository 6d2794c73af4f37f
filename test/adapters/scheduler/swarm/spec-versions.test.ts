import assert from 'node:assert/strict'
import { swarmScheduler } from '../../../../adapters/scheduler/swarm/kind.ts'
import { NEWEST_API } from '../../../../adapters/scheduler/swarm/spec/draft.ts'
import { serviceSpecOf } from '../../../../adapters/scheduler/swarm/spec/service-spec.ts'
import { sampleFacts } from '../../../../adapters/scheduler/swarm/warnings.ts'
import { compileTaskType } from '../../../../src/core/compose/compile.ts'
import { Rejected } from '../../../../src/core/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'

/** Docker 20.10. */
const LEAST = 41
const VERSIONS = Array.from({ length: NEWEST_API - LEAST + 1 }, (_, i) => LEAST + i)

/**
 * The minor of the first Engine API in whose definition of a ServiceSpec a field stands (moby
 * api/docs/v1.25.yaml to v1.55.yaml); 25 where it is in the oldest of them. `*` is any index or key, and
 * after `=` stands a value that came later than its field.
 */
const SINCE: Readonly<Record<string, number>> = {
  '/Name': 25,
  '/Labels/*': 25,
  '/Mode/Replicated/Replicas': 25,
  '/EndpointSpec/Mode': 25,
  '/TaskTemplate/RestartPolicy/Condition': 25,
  '/TaskTemplate/RestartPolicy/MaxAttempts': 25,
  '/TaskTemplate/Resources/Limits/NanoCPUs': 25,
  '/TaskTemplate/Resources/Limits/MemoryBytes': 25,
  '/TaskTemplate/Resources/Limits/Pids': 41,
  '/TaskTemplate/Resources/Reservations/NanoCPUs': 25,
  '/TaskTemplate/Resources/Reservations/MemoryBytes': 25,
  '/TaskTemplate/Resources/Reservations/GenericResources/*/DiscreteResourceSpec/Kind': 32,
  '/TaskTemplate/Resources/Reservations/GenericResources/*/DiscreteResourceSpec/Value': 32,
  '/TaskTemplate/Placement/Constraints/*': 25,
  '/TaskTemplate/Placement/Preferences/*/Spread/SpreadDescriptor': 28,
  '/TaskTemplate/Placement/Platforms/*/OS': 30,
  '/TaskTemplate/Placement/Platforms/*/Architecture': 30,
  '/TaskTemplate/Networks/*/Target': 25,
  '/TaskTemplate/Networks/*/Aliases/*': 25,
  '/TaskTemplate/Networks/*/DriverOpts/*': 39,
  '/TaskTemplate/LogDriver/Name': 25,
  '/TaskTemplate/LogDriver/Options/*': 25,
  ...below('/TaskTemplate/ContainerSpec', {
    '/Image': 25,
    '/Labels/*': 25,
    '/Command/*': 25,
    '/Args/*': 25,
    '/Hostname': 27,
    '/Env/*': 25,
    '/Dir': 25,
    '/User': 25,
    '/Groups/*': 27,
    '/Privileges/CredentialSpec/File': 30,
    '/Privileges/CredentialSpec/Registry': 30,
    '/Privileges/SELinuxContext/Disable': 30,
    '/Privileges/SELinuxContext/User': 30,
    '/Privileges/SELinuxContext/Role': 30,
    '/Privileges/SELinuxContext/Type': 30,
    '/Privileges/SELinuxContext/Level': 30,
    '/Privileges/NoNewPrivileges': 44,
    '/Privileges/Seccomp/Mode': 44,
    '/Privileges/AppArmor/Mode': 44,
    '/TTY': 25,
    '/OpenStdin': 27,
    '/ReadOnly': 27,
    '/Init': 38,
    '/Isolation': 35,
    '/Mounts/*/Type': 25,
    '/Mounts/*/Type=cluster': 42,
    '/Mounts/*/Source': 25,
    '/Mounts/*/Target': 25,
    '/Mounts/*/ReadOnly': 25,
    '/Mounts/*/BindOptions/Propagation': 25,
    '/Mounts/*/VolumeOptions/NoCopy': 25,
    '/Mounts/*/VolumeOptions/Labels/*': 25,
    '/Mounts/*/VolumeOptions/DriverConfig/Name': 25,
    '/Mounts/*/VolumeOptions/DriverConfig/Options/*': 25,
    // 45 by its definition, and dropped by Docker 26.0 (moby daemon/cluster/convert/container.go).
    '/Mounts/*/VolumeOptions/Subpath': 46,
    '/Mounts/*/TmpfsOptions/SizeBytes': 25,
    '/Mounts/*/TmpfsOptions/Mode': 25,
    '/Mounts/*/TmpfsOptions/Options/*/*': 46,
    '/StopSignal': 28,
    '/StopGracePeriod': 25,
    '/Healthcheck/Test/*': 27,
    '/Healthcheck/Interval': 27,
    '/Healthcheck/Timeout': 27,
    '/Healthcheck/Retries': 27,
    '/Healthcheck/StartPeriod': 29,
    '/Healthcheck/StartInterval': 44,
    '/Hosts/*': 27,
    '/DNSConfig/Nameservers/*': 25,
    '/DNSConfig/Search/*': 25,
    '/DNSConfig/Options/*': 25,
    '/Secrets/*/SecretID': 27,
    '/Secrets/*/SecretName': 27,
    ...below('/Secrets/*/File', { '/Name': 27, '/UID': 27, '/GID': 27, '/Mode': 27 }),
    '/Configs/*/ConfigID': 30,
    '/Configs/*/ConfigName': 30,
    ...below('/Configs/*/File', { '/Name': 30, '/UID': 30, '/GID': 30, '/Mode': 30 }),
    '/Sysctls/*': 40,
    '/CapabilityAdd/*': 41,
    '/CapabilityDrop/*': 41,
    '/Ulimits/*/Name': 41,
    '/Ulimits/*/Soft': 41,
    '/Ulimits/*/Hard': 41,
    '/OomScoreAdj': 46,
  }),
}

function below(path: string, fields: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(fields).map(([name, minor]) => [path + name, minor]))
}

/** A service with all that the oldest engine has. */
const SERVICE = {
  image: 'i',
  entrypoint: ['a'],
  command: ['b'],
  environment: { A: 'b' },
  working_dir: '/w',
  user: '1',
  group_add: ['2'],
  hostname: 'h',
  tty: true,
  stdin_open: true,
  read_only: true,
  init: true,
  isolation: 'default',
  labels: { a: 'b' },
  stop_signal: 'SIGINT',
  stop_grace_period: '1s',
  security_opt: ['user', 'role', 'type', 'level'].map((name) => `label=${name}:x`),
  credential_spec: { file: 'f', registry: 'r' },
  healthcheck: { test: 'x', interval: '1s', timeout: '1s', retries: 1, start_period: '1s' },
  extra_hosts: { db: '10.0.0.1' },
  dns: '1.1.1.1',
  dns_search: 'a',
  dns_opt: 'ndots:2',
  secrets: ['key'],
  configs: ['settings'],
  sysctls: { 'net.core.somaxconn': 1 },
  cap_add: ['SYS_NICE'],
  cap_drop: ['ALL'],
  ulimits: { nofile: 1 },
  shm_size: '1m',
  tmpfs: '/run:size=1m,mode=1777,rw',
  platform: 'linux/amd64',
  logging: { driver: 'json-file', options: { 'max-size': '1m' } },
  networks: { back: { aliases: ['a'], driver_opts: { x: 'y' } } },
  volumes: [
    '/h:/bind:ro,rshared',
    'cache:/volume:nocopy',
    { type: 'tmpfs', target: '/t', tmpfs: { size: '1m', mode: 0o700 } },
  ],
  deploy: {
    labels: { a: 'b' },
    placement: { constraints: ['node.role == worker'], preferences: [{ spread: 'node.labels.a' }] },
    resources: {
      limits: { cpus: 1, memory: '1g', pids: 1 },
      reservations: {
        cpus: 1,
        memory: '1g',
        generic_resources: [{ discrete_resource_spec: { kind: 'gpu', value: 1 } }],
      },
    },
  },
} satisfies JsonObject

const DECLARED = {
  secrets: { key: { external: true } },
  configs: { settings: { external: true } },
  networks: { back: { external: true } },
  volumes: { cache: { driver: 'local', driver_opts: { o: 'ro' }, labels: { a: 'b' } } },
}

/** What newer engines alone have: what asks for it, from when, and how it is called to who asks. */
const NEWER: readonly (readonly [name: string, service: JsonObject, minor: number])[] = [
  ['volumes[0].type: cluster', { volumes: [{ type: 'cluster', source: 'c', target: '/c' }] }, 42],
  ['healthcheck.start_interval', { healthcheck: { test: 'x', start_interval: '1s' } }, 44],
  ['security_opt: no-new-privileges', { security_opt: ['no-new-privileges'] }, 44],
  ['security_opt: seccomp=unconfined', { security_opt: ['seccomp=unconfined'] }, 44],
  ['security_opt: apparmor=unconfined', { security_opt: ['apparmor=unconfined'] }, 44],
  [
    'volumes[0].volume.subpath',
    {
      volumes: [{ type: 'volume', source: 'cache', target: '/c', volume: { subpath: 's' } }],
    },
    46,
  ],
  ["tmpfs: the option 'uid'", { tmpfs: '/run:uid=1' }, 46],
  ["tmpfs: the option 'exec'", { tmpfs: ['/run', '/x:exec'] }, 46],
  ['oom_score_adj', { oom_score_adj: 1 }, 46],
]

const typeOf = (service: JsonObject) => {
  const compose = { services: { t: { image: 'i', ...service, 'x-task': {} } }, ...DECLARED }
  return compileTaskType({ name: 't', hash: 'h', directory: '/d', compose }, {})
}

/** As an engine of the minor is given it. */
const specOn = (minor: number, of: JsonObject): JsonObject => {
  const { service } = typeOf(of)
  return serviceSpecOf(unitNamed('lh-t-1', service), { ...sampleFacts(service), api: minor })
}

/** Keys of these are the operator's own. */
const MAPS = new Set(['Labels', 'Options', 'DriverOpts', 'Sysctls'])

/** The paths of all values, and beside a path the value that has a time of its own. */
function* fieldsOf(value: Json, path = ''): Generator<string> {
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) yield* fieldsOf(item, `${path}/*`)
  } else if (isJsonObject(value)) {
    const any = MAPS.has(path.slice(path.lastIndexOf('/') + 1))
    for (const [key, item] of Object.entries(value))
      yield* fieldsOf(item, `${path}/${any ? '*' : key}`)
  } else {
    yield path
    if (typeof value === 'string' && `${path}=${value}` in SINCE) yield `${path}=${value}`
  }
}

/** All that an engine of the minor may be asked for, in as many services as it takes. */
const askedOf = (minor: number): readonly JsonObject[] => [
  SERVICE,
  { security_opt: ['label=disable'] },
  ...NEWER.flatMap(([, service, since]) => (since <= minor ? [service] : [])),
]

describe('the spec that an engine is sent', () => {
  for (const minor of VERSIONS) {
    it(`holds no field that Engine API 1.${minor} does not have`, () => {
      const fields = askedOf(minor).flatMap((service) => [...fieldsOf(specOn(minor, service))])
      const unknown = fields.filter((field) => (SINCE[field] ?? Infinity) > minor)
      assert.deepEqual([...new Set(unknown)], [])
    })
  }

  it('holds every field of the table where the engine is the newest', () => {
    const fields = new Set(
      askedOf(NEWEST_API).flatMap((service) => [...fieldsOf(specOn(NEWEST_API, service))]),
    )
    assert.deepEqual(
      Object.keys(SINCE).filter((field) => !fields.has(field)),
      [],
    )
  })

  for (const [name, service, since] of NEWER) {
    it(`is refused to engines before 1.${since} where it has ${name}, and the task type is warned of`, () => {
      for (const minor of VERSIONS.filter((one) => one < since)) {
        assert.throws(
          () => specOn(minor, service),
          (error: unknown) => {
            assert(error instanceof Rejected)
            assert.equal(error.code, 'engine-version')
            assert.equal(
              error.message,
              `${name} needs Engine API 1.${since} or newer, and this swarm has 1.${minor}`,
            )
            return true
          },
        )
      }
      const warned = swarmScheduler.warnings(typeOf(service))
      assert(
        warned.some(
          (one) => one.startsWith(`${name} needs Docker `) && one.includes(`1.${since})`),
        ),
        warned.join('\n'),
      )
    })
  }

  it('leaves out a start interval of a health check that is switched off, which no engine need have', () => {
    const healthcheck = { disable: true, start_interval: '1s' }
    assert.deepEqual(swarmScheduler.warnings(typeOf({ healthcheck })), [])
    assert.doesNotThrow(() => specOn(LEAST, { healthcheck }))
  })
})
