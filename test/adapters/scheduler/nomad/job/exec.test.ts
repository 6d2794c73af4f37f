import assert from 'node:assert/strict'
import { Unhonoured } from '../../../../../adapters/scheduler/nomad/job/unhonoured.ts'
import { translationSuite } from './translation-suite.ts'
import { jobFor } from './units.ts'

/** What a program of the node has under either driver. */
const PROGRAM = [
  ['image', { image: 'i' }, 'Config', { command: 'run' }],
  [
    'entrypoint',
    { entrypoint: ['/bin/sh', '-c'] },
    'Config',
    { command: '/bin/sh', args: ['-c', 'run'] },
  ],
  ['entrypoint', { entrypoint: [], command: ['a', 'b'] }, 'Config', { command: 'a', args: ['b'] }],
  ['command', { command: ['run', 'a', ''] }, 'Config', { command: 'run', args: ['a', ''] }],
  ['environment', { environment: { A: 'b' } }, 'Env', { A: 'b' }],
  ['working_dir', { working_dir: '/w' }, 'Config/work_dir', '/w'],
  ['user', { user: 'app' }, 'User', 'app'],
  // Without it the drivers would send SIGINT.
  ['stop_signal', {}, 'KillSignal', 'SIGTERM'],
  ['stop_grace_period', { stop_grace_period: '2s' }, 'KillTimeout', 2e9],
  ['network_mode', { network_mode: 'host' }, 'Config', { command: 'run' }],
  ['healthcheck', { healthcheck: { disable: true } }, 'Config', { command: 'run' }],
  [
    'deploy.resources',
    { deploy: { resources: { limits: { cpus: 2, memory: '2G' } } } },
    'Resources',
    { Cores: 2, MemoryMB: 2048 },
  ],
  [
    'deploy.placement',
    { deploy: { placement: { constraints: ['node.labels.disk == ssd'] } } },
    '/Constraints/0/LTarget',
    '${meta.disk}',
  ],
  ['deploy.labels', { deploy: { labels: { a: 'b' } } }, '/Meta/a', 'b'],
  ['platform', { platform: 'linux/amd64' }, '/Constraints/1/RTarget', 'amd64'],
  ['pull_policy', { pull_policy: 'always' }, 'Config', { command: 'run' }],
] as const

const NEVER = [
  'annotations',
  'blkio_config',
  'cgroup',
  'cgroup_parent',
  'configs',
  'cpu_shares',
  'cpuset',
  'credential_spec',
  'device_cgroup_rules',
  'devices',
  'dns',
  'dns_opt',
  'dns_search',
  'domainname',
  'extra_hosts',
  'group_add',
  'hostname',
  'init',
  'isolation',
  'labels',
  'logging',
  'mac_address',
  'networks',
  'read_only',
  'runtime',
  'secrets',
  'security_opt',
  'shm_size',
  'stdin_open',
  'storage_opt',
  'sysctls',
  'tmpfs',
  'tty',
  'ulimits',
  'userns_mode',
  'uts',
]

const REFUSED = [
  [
    { deploy: { resources: { reservations: { generic_resources: [{}] } } } },
    /^deploy\.resources\.reservations\.generic_resources: /,
  ],
  [{ deploy: { placement: { preferences: [{}] } } }, /^deploy\.placement\.preferences: /],
  [
    { command: null },
    /^`command` is missing: the driver (raw_)?exec has no image to have its own$/,
  ],
  [{ user: '1000' }, /^user: '1000' must be the name of a user of the node$/],
  [{ user: 'app:app' }, /^user: /],
  [{ working_dir: 'rel' }, /^working_dir: 'rel' must be an absolute path/],
  [{ network_mode: 'bridge' }, /^network_mode: a program is on its node's own network/],
  [
    { deploy: { resources: { limits: { cpus: 0.5 } } } },
    /^deploy\.resources\.limits\.cpus: nothing holds (raw_)?exec to a share/,
    { cpu: 500 },
  ],
  [
    { deploy: { resources: { limits: { pids: 5 } } } },
    /^deploy\.resources\.limits\.pids: (raw_)?exec limits no processes$/,
  ],
  [{ healthcheck: { test: ['CMD', 'x'] } }, /^healthcheck: /],
] as const

translationSuite('exec', {
  below: ['volumes[].volume'],
  becomes: [
    ...PROGRAM,
    [
      'deploy.resources',
      {
        deploy: {
          resources: { reservations: { devices: [{ capabilities: ['gpu'], count: '1' }] } },
        },
      },
      'Resources/Devices',
      [{ Name: 'gpu', Count: 1 }],
    ],
    ['cap_add', { cap_add: ['SYS_NICE'] }, 'Config/cap_add', ['SYS_NICE']],
    ['cap_drop', { cap_drop: ['ALL'] }, 'Config/cap_drop', ['ALL']],
    ['ipc', { ipc: 'host' }, 'Config/ipc_mode', 'host'],
    ['pid', { pid: 'host' }, 'Config/pid_mode', 'host'],
    [
      'volumes',
      { volumes: ['data:/c:ro'] },
      'VolumeMounts',
      [{ Volume: 'data', Destination: '/c', ReadOnly: true }],
      { volumes: { data: {} } },
    ],
    [
      'volumes',
      { volumes: ['data:/c:nocopy'] },
      'VolumeMounts',
      [{ Volume: 'data', Destination: '/c' }],
      { volumes: { data: {} } },
    ],
  ],
  never: [...NEVER, 'oom_score_adj'],
  refused: [
    ...REFUSED,
    [{ volumes: ['/h:/c'] }, /^volumes\[0\]: exec mounts volumes of Nomad alone/],
    [{ volumes: ['cache:/c'] }, /^volumes\[0\]: exec mounts volumes of Nomad alone/],
    [
      { volumes: [{ type: 'volume', source: 'data', target: '/c', volume: { labels: ['a=b'] } }] },
      /^volumes\[0\]\.volume\.labels: a volume of Nomad is given none$/,
      { volumes: { data: {} } },
    ],
    [{ ipc: 'shareable' }, /^ipc: must be host or private/],
  ],
})

translationSuite('raw_exec', {
  becomes: [...PROGRAM, ['oom_score_adj', { oom_score_adj: 5 }, 'Config/oom_score_adj', 5]],
  never: [...NEVER, 'cap_add', 'cap_drop', 'ipc', 'pid', 'volumes'],
  refused: [
    ...REFUSED,
    [
      { deploy: { resources: { reservations: { devices: [{ capabilities: ['gpu'] }] } } } },
      /^deploy\.resources\.reservations\.devices\[0\]: raw_exec gives no devices/,
    ],
    [{ oom_score_adj: -5 }, /^oom_score_adj: raw_exec takes none below 0$/],
  ],
})

describe('a program on an older Nomad', () => {
  it('is refused what its driver does not have there', () => {
    const refused = (driver: 'exec' | 'raw_exec', service: object, version: string) => {
      assert.throws(() => jobFor(driver, service as never, { version }), Unhonoured)
    }
    refused('exec', { working_dir: '/w' }, '1.9.1')
    refused('raw_exec', { oom_score_adj: 5 }, '1.8.0')
    refused('raw_exec', { deploy: { resources: { limits: { memory: '1G' } } } }, '1.6.5')
    jobFor('exec', { deploy: { resources: { limits: { memory: '1G' } } } }, { version: '1.6.5' })
  })
})
