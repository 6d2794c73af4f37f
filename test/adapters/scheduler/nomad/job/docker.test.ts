import { translationSuite } from './translation-suite.ts'

const variable = (path: string, item = 'value') =>
  `{{ with nomadVar "${path}" }}{{ .${item} }}{{ end }}`

translationSuite('docker', {
  below: ['volumes[].bind', 'volumes[].volume', 'volumes[].tmpfs'],
  becomes: [
    ['image', {}, 'Config/image', 'i'],
    ['entrypoint', { entrypoint: ['a', 'b'] }, 'Config/entrypoint', ['a', 'b']],
    ['entrypoint', { entrypoint: 'a "b c"' }, 'Config/entrypoint', ['a', 'b c']],
    [
      'entrypoint',
      { entrypoint: [], command: ['a', 'b'] },
      'Config',
      { image: 'i', entrypoint: ['a'], args: ['b'] },
    ],
    ['entrypoint', { entrypoint: '', command: ['a'] }, 'Config', { image: 'i', entrypoint: ['a'] }],
    ['command', { command: ['x', ''] }, 'Config/args', ['x', '']],
    ['command', {}, 'Config/args', undefined],
    ['environment', { environment: { A: 'b=c', N: 1 } }, 'Env', { A: 'b=c', N: '1' }],
    ['environment', { environment: ['A=b', 'E='] }, 'Env', { A: 'b', E: '' }],
    [
      'environment',
      { environment: { A: '$${HOME}' } },
      'Env/A',
      '${NOMAD_META_longhaul_dollar}{HOME}',
    ],
    ['working_dir', { working_dir: '/w' }, 'Config/work_dir', '/w'],
    ['user', { user: '1:2' }, 'User', '1:2'],
    ['user', { user: 1000 }, 'User', '1000'],
    ['stop_signal', { stop_signal: 'INT' }, 'KillSignal', 'SIGINT'],
    ['stop_signal', { stop_signal: '12' }, 'KillSignal', 'SIGUSR2'],
    ['stop_signal', {}, 'KillSignal', 'SIGTERM'],
    ['stop_grace_period', { stop_grace_period: '1m30s' }, 'KillTimeout', 90e9],
    [
      'secrets',
      { secrets: ['key'] },
      'Templates',
      [
        {
          EmbeddedTmpl: variable('longhaul/secrets/key'),
          DestPath: 'secrets/longhaul/secrets/0',
          ChangeMode: 'noop',
          ErrMissingKey: true,
          Perms: '0444',
        },
      ],
    ],
    [
      'secrets',
      { secrets: ['key'] },
      'Config/mount',
      [
        {
          type: 'bind',
          source: 'secrets/longhaul/secrets/0',
          target: '/run/secrets/key',
          readonly: true,
        },
      ],
    ],
    [
      'secrets',
      { secrets: [{ source: 'other', target: 't', uid: '1', gid: '2', mode: '0400' }] },
      'Templates/0',
      {
        EmbeddedTmpl: variable('longhaul/secrets/other-v2'),
        DestPath: 'secrets/longhaul/secrets/0',
        ChangeMode: 'noop',
        ErrMissingKey: true,
        Perms: '0400',
        Uid: 1,
        Gid: 2,
      },
    ],
    [
      'secrets',
      { secrets: [{ source: 'key', target: '/etc/key' }] },
      'Config/mount/0/target',
      '/etc/key',
    ],
    [
      'secrets',
      { secrets: ['toString'] },
      'Templates/0/EmbeddedTmpl',
      variable('longhaul/secrets/toString'),
    ],
    [
      'secrets',
      { secrets: ['older'] },
      'Templates/0/EmbeddedTmpl',
      variable('longhaul/secrets/o1'),
    ],
    [
      'secrets',
      { secrets: ['odd'] },
      'Templates/0/EmbeddedTmpl',
      variable('nomad/jobs', 's3'),
      { variables: { odd: { path: 'nomad/jobs', item: 's3' } } },
    ],
    [
      'configs',
      { configs: ['settings'] },
      'Templates/0',
      {
        EmbeddedTmpl: variable('longhaul/configs/settings'),
        DestPath: 'local/longhaul/configs/0',
        ChangeMode: 'noop',
        ErrMissingKey: true,
        Perms: '0444',
      },
    ],
    ['configs', { configs: ['settings'] }, 'Config/mount/0/target', '/settings'],
    [
      'configs',
      { secrets: ['key'], configs: [{ source: 'settings', mode: 0o440 }] },
      'Templates/1/Perms',
      '0440',
    ],
    ['networks', {}, 'Config/network_mode', undefined],
    ['networks', { networks: ['default'] }, 'Config/network_mode', undefined],
    ['networks', { networks: ['back'] }, 'Config/network_mode', 'backend'],
    [
      'networks',
      { networks: { back: { aliases: ['a'], ipv4_address: '10.0.0.2' } } },
      'Config',
      { image: 'i', network_mode: 'backend', network_aliases: ['a'], ipv4_address: '10.0.0.2' },
    ],
    [
      'networks',
      // Of one network it is clear that it comes first.
      { networks: { back: { mac_address: '02:42:ac:11:00:01', priority: 5, gw_priority: 1 } } },
      'Config',
      { image: 'i', network_mode: 'backend', mac_address: '02:42:ac:11:00:01' },
    ],
    ['network_mode', { network_mode: 'host' }, 'Config/network_mode', 'host'],
    ['network_mode', { network_mode: 'none' }, 'Config/network_mode', 'none'],
    [
      'volumes',
      { volumes: ['/h:/c:ro'] },
      'Config/mount',
      [{ type: 'bind', source: '/h', target: '/c', readonly: true }],
    ],
    [
      'volumes',
      { volumes: ['/h:/c:rshared'] },
      'Config/mount/0/bind_options',
      { propagation: 'rshared' },
    ],
    ['volumes', { volumes: ['/anon'] }, 'Config/mount', [{ type: 'volume', target: '/anon' }]],
    [
      'volumes',
      { volumes: ['cache:/c:nocopy'] },
      'Config/mount',
      [
        {
          type: 'volume',
          source: 'cache',
          target: '/c',
          volume_options: {
            no_copy: true,
            labels: [{ a: 'b' }],
            driver_config: { name: 'nfs', options: [{ o: 'ro' }] },
          },
        },
      ],
    ],
    [
      'volumes',
      { volumes: ['shared:/c'] },
      'Config/mount',
      [{ type: 'volume', source: 'real', target: '/c' }],
    ],
    [
      'volumes',
      { volumes: [{ type: 'tmpfs', target: '/c', tmpfs: { size: '1m', mode: 0o700 } }] },
      'Config/mount',
      [{ type: 'tmpfs', target: '/c', tmpfs_options: { size: 1_048_576, mode: 0o700 } }],
    ],
    [
      'volumes',
      { volumes: ['data:/c:ro'] },
      'VolumeMounts',
      [{ Volume: 'data', Destination: '/c', ReadOnly: true }],
      { volumes: { data: { source: 'scratch' } } },
    ],
    [
      'volumes',
      { volumes: ['data:/c'] },
      '/TaskGroups/0/Volumes',
      { data: { Name: 'data', Type: 'host', Source: 'scratch' } },
      { volumes: { data: { source: 'scratch' } } },
    ],
    [
      'volumes',
      { volumes: ['data:/c'] },
      '/TaskGroups/0/Volumes/data',
      {
        Name: 'data',
        Type: 'csi',
        Source: 'data',
        ReadOnly: false,
        AccessMode: 'single-node-writer',
        AttachmentMode: 'file-system',
      },
      {
        volumes: {
          data: {
            type: 'csi',
            read_only: false,
            access_mode: 'single-node-writer',
            attachment_mode: 'file-system',
          },
        },
      },
    ],
    [
      'volumes',
      { volumes: ['constructor:/c'] },
      'Config/mount',
      [{ type: 'volume', source: 'constructor', target: '/c' }],
    ],
    [
      'volumes',
      { volumes: ['data:/c', '__proto__:/d'] },
      '/TaskGroups/0/Volumes',
      {
        data: { Name: 'data', Type: 'host', Source: 'data' },
        ['__proto__']: { Name: '__proto__', Type: 'host', Source: '__proto__' },
      },
      { volumes: { data: {}, ['__proto__']: {} } },
    ],
    [
      'volumes',
      { volumes: ['named:/c'] },
      '/TaskGroups/0/Volumes/named/Source',
      'scratch',
      { volumes: { named: {} } },
    ],
    [
      'volumes',
      {
        volumes: [
          {
            type: 'bind',
            source: '/h',
            target: '/c',
            consistency: 'cached',
            'x-note': 'of the operator',
            bind: { propagation: 'rslave', create_host_path: false, recursive: 'enabled' },
          },
        ],
      },
      'Config/mount',
      [{ type: 'bind', source: '/h', target: '/c', bind_options: { propagation: 'rslave' } }],
    ],
    [
      'volumes',
      {
        volumes: [
          {
            type: 'volume',
            source: 'shared',
            target: '/c',
            read_only: true,
            volume: { nocopy: true, labels: ['a=b'] },
          },
        ],
      },
      'Config/mount',
      [
        {
          type: 'volume',
          source: 'real',
          target: '/c',
          readonly: true,
          volume_options: { no_copy: true, labels: [{ a: 'b' }] },
        },
      ],
    ],
    [
      'volumes',
      { volumes: [{ type: 'tmpfs', target: '/c', read_only: true, tmpfs: { mode: '0700' } }] },
      'Config/mount',
      [{ type: 'tmpfs', target: '/c', readonly: true, tmpfs_options: { mode: 0o700 } }],
    ],
    ['tmpfs', { tmpfs: '/run' }, 'Config/mount', [{ type: 'tmpfs', target: '/run' }]],
    [
      'tmpfs',
      { tmpfs: ['/run:size=64m,mode=1777'] },
      'Config/mount/0/tmpfs_options',
      { size: 64 * 2 ** 20, mode: 0o1777 },
    ],
    ['shm_size', { shm_size: '128m' }, 'Config/shm_size', 128 * 2 ** 20],
    ['healthcheck', {}, 'Config/healthchecks', undefined],
    ['healthcheck', { healthcheck: { disable: true } }, 'Config/healthchecks', { disable: true }],
    ['healthcheck', { healthcheck: { test: ['NONE'] } }, 'Config/healthchecks', { disable: true }],
    [
      'deploy.resources',
      { deploy: { resources: { limits: { cpus: '2', memory: '2G', pids: 10 } } } },
      'Resources',
      { Cores: 2, MemoryMB: 2048 },
    ],
    [
      'deploy.resources',
      { deploy: { resources: { limits: { memory: '2G', pids: 10 } } } },
      'Config',
      { image: 'i', pids_limit: 10 },
    ],
    [
      'deploy.resources',
      { deploy: { resources: { limits: { memory: '2G' }, reservations: { memory: '1G' } } } },
      'Resources',
      { MemoryMB: 1024 },
    ],
    [
      'deploy.resources',
      { deploy: { resources: { limits: { memory: '2G' }, reservations: { memory: '1G' } } } },
      'Config/memory_hard_limit',
      2048,
    ],
    [
      'deploy.resources',
      { deploy: { resources: { reservations: { cpus: 1, memory: '1g' } } } },
      'Resources',
      { Cores: 1, MemoryMB: 1024 },
    ],
    [
      'deploy.resources',
      { deploy: { resources: { limits: { cpus: '0.5' } } } },
      'Resources',
      { CPU: 600 },
      { cpu: 600 },
    ],
    [
      'deploy.resources',
      { deploy: { resources: { limits: { cpus: '0.5' } } } },
      'Config/cpu_hard_limit',
      true,
      { cpu: 600 },
    ],
    // No limit and no reservation, to Compose.
    [
      'deploy.resources',
      { deploy: { resources: { limits: { cpus: '0' } } } },
      'Config/cpu_hard_limit',
      undefined,
      { cpu: 600 },
    ],
    [
      'deploy.resources',
      { deploy: { resources: { limits: { cpus: 0 }, reservations: { cpus: 2 } } } },
      'Resources',
      { Cores: 2 },
    ],
    [
      'deploy.resources',
      { deploy: { resources: { reservations: { cpus: 0 } } } },
      'Resources',
      undefined,
    ],
    [
      'deploy.resources',
      { deploy: { resources: { reservations: { cpus: '0.5' } } } },
      'Config/cpu_hard_limit',
      undefined,
      { cpu: 600 },
    ],
    [
      'deploy.resources',
      {
        deploy: {
          resources: {
            reservations: { devices: [{ driver: 'nvidia', count: 2, capabilities: ['gpu'] }] },
          },
        },
      },
      'Resources/Devices',
      [{ Name: 'nvidia/gpu', Count: 2 }],
    ],
    [
      'deploy.placement',
      {
        deploy: {
          placement: {
            constraints: [
              'node.labels.disk == ssd',
              'node.hostname!=a',
              'node.id == 1',
              'node.platform.os == linux',
              'node.platform.arch == x86_64',
              'node.platform.os != Windows',
            ],
          },
        },
      },
      '/Constraints',
      [
        { LTarget: '${meta.disk}', Operand: '=', RTarget: 'ssd' },
        { LTarget: '${attr.unique.hostname}', Operand: '!=', RTarget: 'a' },
        { LTarget: '${node.unique.id}', Operand: '=', RTarget: '1' },
        { LTarget: '${attr.kernel.name}', Operand: '=', RTarget: 'linux' },
        { LTarget: '${attr.cpu.arch}', Operand: '=', RTarget: 'amd64' },
        { LTarget: '${attr.kernel.name}', Operand: '!=', RTarget: 'windows' },
      ],
    ],
    ['deploy.labels', { deploy: { labels: ['a=b'] } }, '/Meta/a', 'b'],
    ['labels', { labels: ['a=b'] }, 'Config/labels', [{ a: 'b' }]],
    ['labels', { labels: { a: 'b' } }, 'Config/labels', [{ a: 'b' }]],
    [
      'logging',
      { logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': 3 } } },
      'Config/logging',
      { type: 'json-file', config: [{ 'max-size': '10m', 'max-file': '3' }] },
    ],
    ['init', { init: true }, 'Config/init', true],
    ['init', { init: false }, 'Config/init', undefined],
    ['read_only', { read_only: true }, 'Config/readonly_rootfs', true],
    ['tty', { tty: true }, 'Config/tty', true],
    ['stdin_open', { stdin_open: true }, 'Config/interactive', true],
    ['hostname', { hostname: 'h' }, 'Config/hostname', 'h'],
    ['dns', { dns: '1.1.1.1' }, 'Config/dns_servers', ['1.1.1.1']],
    ['dns_search', { dns_search: ['a', 'b'] }, 'Config/dns_search_domains', ['a', 'b']],
    ['dns_opt', { dns_opt: ['ndots:2'] }, 'Config/dns_options', ['ndots:2']],
    [
      'extra_hosts',
      { extra_hosts: ['db:10.0.0.1', 'six=[::1]', 'h:host-gateway'] },
      'Config/extra_hosts',
      ['db:10.0.0.1', 'six:::1', 'h:host-gateway'],
    ],
    ['extra_hosts', { extra_hosts: { db: '10.0.0.1' } }, 'Config/extra_hosts', ['db:10.0.0.1']],
    [
      'mac_address',
      { mac_address: '02:42:ac:11:00:01' },
      'Config/mac_address',
      '02:42:ac:11:00:01',
    ],
    ['cap_add', { cap_add: ['SYS_NICE'] }, 'Config/cap_add', ['SYS_NICE']],
    ['cap_drop', { cap_drop: ['ALL'] }, 'Config/cap_drop', ['ALL']],
    [
      'security_opt',
      { security_opt: ['no-new-privileges'] },
      'Config/security_opt',
      ['no-new-privileges'],
    ],
    [
      'credential_spec',
      { security_opt: ['a'], credential_spec: { file: 'f.json' } },
      'Config/security_opt',
      ['a', 'credentialspec=file://f.json'],
    ],
    ['isolation', { isolation: 'hyperv' }, 'Config/isolation', 'hyperv'],
    ['group_add', { group_add: ['video', 44] }, 'Config/group_add', ['video', '44']],
    ['userns_mode', { userns_mode: 'host' }, 'Config/userns_mode', 'host'],
    [
      'sysctls',
      { sysctls: { 'net.core.somaxconn': 1024 } },
      'Config/sysctl',
      [{ 'net.core.somaxconn': '1024' }],
    ],
    [
      'ulimits',
      { ulimits: { nofile: 10, core: { soft: 1, hard: 2 } } },
      'Config/ulimit',
      [{ nofile: '10:10', core: '1:2' }],
    ],
    ['oom_score_adj', { oom_score_adj: 100 }, 'Config/oom_score_adj', 100],
    [
      'devices',
      { devices: ['/dev/a', '/dev/b:/dev/c:r', { source: '/dev/d', target: '/dev/e' }] },
      'Config/devices',
      [
        { host_path: '/dev/a' },
        { host_path: '/dev/b', container_path: '/dev/c', cgroup_permissions: 'r' },
        { host_path: '/dev/d', container_path: '/dev/e' },
      ],
    ],
    [
      'devices',
      { devices: ['/dev/a:rw', { source: '/dev/b', permissions: 'r' }] },
      'Config/devices',
      [
        { host_path: '/dev/a', cgroup_permissions: 'rw' },
        { host_path: '/dev/b', cgroup_permissions: 'r' },
      ],
    ],
    ['cgroup', { cgroup: 'private' }, 'Config/cgroupns', 'private'],
    ['ipc', { ipc: 'host' }, 'Config/ipc_mode', 'host'],
    ['pid', { pid: 'host' }, 'Config/pid_mode', 'host'],
    ['uts', { uts: 'host' }, 'Config/uts_mode', 'host'],
    ['runtime', { runtime: 'runsc' }, 'Config/runtime', 'runsc'],
    [
      'platform',
      { platform: 'linux/arm64/v8' },
      '/Constraints',
      [
        { LTarget: '${attr.kernel.name}', Operand: '=', RTarget: 'linux' },
        { LTarget: '${attr.cpu.arch}', Operand: '=', RTarget: 'arm64' },
      ],
    ],
    ...(
      [
        ['linux/x86_64', 'amd64'],
        ['linux/aarch64', 'arm64'],
        ['Linux/AMD64', 'amd64'],
        ['linux/i386', '386'],
        ['linux/arm64/8', 'arm64'],
      ] as const
    ).map(
      ([platform, architecture]) =>
        [
          'platform',
          { platform },
          '/Constraints',
          [
            { LTarget: '${attr.kernel.name}', Operand: '=', RTarget: 'linux' },
            { LTarget: '${attr.cpu.arch}', Operand: '=', RTarget: architecture },
          ],
        ] as const,
    ),
    ['pull_policy', { pull_policy: 'always' }, 'Config/force_pull', true],
    ['pull_policy', { pull_policy: 'missing' }, 'Config', { image: 'i' }],
    ['storage_opt', { storage_opt: { size: '10G' } }, 'Config/storage_opt', { size: '10G' }],
  ],
  never: [
    'annotations',
    'blkio_config',
    'cgroup_parent',
    'cpu_shares',
    'cpuset',
    'device_cgroup_rules',
    'domainname',
  ],
  refused: [
    [{ image: null }, /^`image` is missing: the driver docker runs images$/],
    [{ working_dir: 'rel' }, /^working_dir: 'rel' must be an absolute path in the container$/],
    [{ stop_signal: 'SIGNONE' }, /^stop_signal: Nomad has no signal 'SIGNONE'$/],
    [{ stop_signal: '40' }, /^stop_signal: Nomad has no signal '40'$/],
    [{ volumes: ['./rel:/c'] }, /^volumes\[0\]: '\.\/rel' must be an absolute path/],
    [{ volumes: ['a:/b:z'] }, /^volumes\[0\]: there is no mount option 'z'$/],
    [{ volumes: ['a:b:c:d'] }, /^volumes\[0\]: 'a:b:c:d' is not source/],
    [{ volumes: [{ type: 'bind', source: '/h' }] }, /^volumes\[0\]: a mount needs a target$/],
    [
      { volumes: [{ type: 'bind', source: '/h', target: '/c', bind: { selinux: 'z' } }] },
      /relabels/,
    ],
    [{ volumes: [{ type: 'image', source: 'i', target: '/c' }] }, /no mounts of the type 'image'/],
    [
      { volumes: [{ type: 'volume', source: 'cache', target: '/c', volume: { subpath: 's' } }] },
      /^volumes\[0\]\.volume\.subpath: the driver mounts a volume whole$/,
    ],
    ...(
      [
        [{ read_olny: true }, '.read_olny: Nomad has nothing of the kind'],
        [{ consistency: 'x' }, '.consistency: must be consistent, cached or delegated'],
        [{ volume: { nocopy: true } }, '.volume: Nomad has nothing of the kind'],
        [{ bind: { create_host_path: true } }, '.bind.create_host_path: no folder of a node'],
        [{ bind: { recursive: 'readonly' } }, '.bind.recursive: what is mounted below'],
        [{ bind: { nonsense: 1 } }, '.bind.nonsense: Nomad has nothing of the kind'],
      ] as const
    ).map(
      ([more, says]) =>
        [
          { volumes: [{ type: 'bind', source: '/h', target: '/c', ...more }] },
          new RegExp(`^volumes\\[0\\]${says.replaceAll('.', '\\.')}`),
        ] as const,
    ),
    [{ volumes: ['cache:/c:rslave'] }, /^volumes\[0\]\.bind: only a folder has a propagation$/],
    [
      { volumes: ['typo:/c'] },
      /^volumes\[0\]: `driver_opt` of the volume `typo` says nothing to docker$/,
    ],
    [
      { volumes: ['both:/c'] },
      /^volumes\[0\]: `driver` of the volume `both` says nothing to docker$/,
    ],
    [
      { volumes: [{ type: 'tmpfs', target: '/c', source: '/h' }] },
      /^volumes\[0\]\.source: Nomad has nothing/,
    ],
    [
      { volumes: [{ type: 'tmpfs', target: '/c', tmpfs: { uid: 1 } }] },
      /^volumes\[0\]\.tmpfs\.uid: Nomad has nothing/,
    ],
    [
      {
        volumes: [
          { type: 'volume', source: 'data', target: '/c', volume: { subpath: 'tenants/a' } },
        ],
      },
      /^volumes\[0\]\.volume\.subpath: a volume of Nomad is mounted whole$/,
      { volumes: { data: {} } },
    ],
    [
      {
        volumes: [
          { type: 'volume', source: 'data', target: '/c', bind: { propagation: 'constructor' } },
        ],
      },
      /^volumes\[0\]: Nomad's volumes know no 'constructor'$/,
      { volumes: { data: {} } },
    ],
    [
      { volumes: ['data:/c'] },
      /^x-task\.nomad\.volumes\.data: a CSI volume needs `access_mode`/,
      { volumes: { data: { type: 'csi' } } },
    ],
    [{ secrets: ['odd'] }, /^secrets\[0\]: no variable of Nomad can be called/],
    [{ secrets: ['key'] }, /letters, digits/, { variables: { key: { item: 'a-b' } } }],
    [{ secrets: [{ source: 'key', uid: 'root' }] }, /^secrets\[0\]\.uid: Nomad knows owners/],
    [{ networks: ['back', 'front'] }, /^networks\[1\]: Nomad puts a container on one network$/],
    [{ networks: { back: { driver_opts: { a: 1 } } } }, /^networks\.back\.driver_opts: /],
    [
      { networks: { back: { link_local_ips: ['169.254.1.1'] } } },
      /^networks\.back\.link_local_ips: Nomad hands none over$/,
    ],
    [
      { networks: { back: { interface_name: 'eth9' } } },
      /^networks\.back\.interface_name: the driver names interfaces itself$/,
    ],
    [{ networks: { back: { alias: 'a' } } }, /^networks\.back\.alias: Nomad has nothing/],
    [
      { networks: { default: { aliases: ['a'] } } },
      /^networks\.default: nothing makes one that could be asked for anything/,
    ],
    [
      {
        mac_address: '02:42:ac:11:00:01',
        networks: { back: { mac_address: '02:42:ac:11:00:02' } },
      },
      /^networks\.back\.mac_address: it is written as `mac_address` of the service as well$/,
    ],
    [{ network_mode: 'service:x' }, /^network_mode: /],
    [{ healthcheck: { test: 'true' } }, /^healthcheck: Nomad checks the health of services alone/],
    [{ tmpfs: '/run:uid=1' }, /^tmpfs: docker knows `size` and `mode` alone, not 'uid=1'$/],
    [
      { deploy: { resources: { limits: { cpus: '0.5' } } } },
      /^deploy\.resources\.limits\.cpus: Nomad gives whole cores/,
    ],
    [
      { deploy: { resources: { limits: { cpus: -1 } } } },
      /^deploy\.resources\.limits\.cpus: -1 is no number of CPUs$/,
      { cpu: 600 },
    ],
    [
      { deploy: { resources: { limits: { memory: '5M' } } } },
      /^deploy\.resources\.limits\.memory: Nomad gives no task less than 10M$/,
    ],
    [
      { deploy: { resources: { reservations: { generic_resources: [{}] } } } },
      /^deploy\.resources\.reservations\.generic_resources: /,
    ],
    ...(
      [
        [{ capabilities: ['tpu'], count: 1 }, '.capabilities: Nomad gives GPUs alone'],
        [{ capabilities: ['gpu', 'compute'], count: 1 }, '.capabilities: Nomad gives GPUs alone'],
        [{ count: 1 }, '.capabilities: Nomad gives GPUs alone'],
        // To Compose these are all there are.
        [{ capabilities: ['gpu'] }, '.count: Nomad gives GPUs by their number'],
        [{ capabilities: ['gpu'], count: 'all' }, '.count: Nomad gives GPUs by their number'],
        [{ capabilities: ['gpu'], count: 0 }, '.count: Nomad gives GPUs by their number'],
        [{ capabilities: ['gpu'], count: 1, device_ids: ['0'] }, '.device_ids: Nomad chooses'],
        [{ capabilities: ['gpu'], count: 1, options: { a: 'b' } }, '.options: Nomad hands none'],
      ] as const
    ).map(
      ([device, says]) =>
        [
          { deploy: { resources: { reservations: { devices: [device] } } } },
          new RegExp(`^deploy\\.resources\\.reservations\\.devices\\[0\\]\\${says}`),
        ] as const,
    ),
    [
      { deploy: { placement: { constraints: ['node.role == manager'] } } },
      /^deploy\.placement\.constraints\[0\]: Nomad has nothing for 'node\.role == manager'/,
    ],
    [
      { deploy: { placement: { constraints: ['engine.labels.a == b'] } } },
      /^deploy\.placement\.constraints\[0\]: /,
    ],
    [
      { deploy: { placement: { preferences: [{ spread: 'node.labels.zone' }] } } },
      /^deploy\.placement\.preferences: /,
    ],
    [
      { deploy: { placement: { max_replicas_per_node: 1 } } },
      /^deploy\.placement\.max_replicas_per_node: /,
    ],
    [{ deploy: { labels: { a: '$${attr.x}' } } }, /^deploy\.labels\.a: Nomad would fill in/],
    [{ dns: 'resolver' }, /^dns: 'resolver' is no address$/],
    [{ extra_hosts: ['h:name'] }, /^extra_hosts: 'name' is no address$/],
    [{ devices: ['vendor.com/gpu=all'] }, /^devices\[0\]: /],
    [{ devices: ['/dev/a:/dev/b:r:w'] }, /^devices\[0\]: '\/dev\/a:\/dev\/b:r:w' is not source:/],
    [{ devices: [{ source: '/dev/a', mode: 'r' }] }, /^devices\[0\]\.mode: Nomad has nothing/],
    [{ pid: 'container:x' }, /^pid: must be host, not 'container:x'$/],
    [{ ipc: 'service:x' }, /^ipc: /],
    [{ platform: 'linux/arm/v7' }, /^platform: Nomad does not tell nodes apart by the variant/],
    [{ platform: 'linux/armhf' }, /^platform: 'armhf' is none of Go's architectures/],
    [{ platform: 'amd64' }, /^platform: 'amd64' is none of Go's systems/],
    [
      { deploy: { placement: { constraints: ['node.platform.arch == armv7l'] } } },
      /^deploy\.placement\.constraints\[0\]: 'armv7l' is none of Go's architectures/,
    ],
    [
      { deploy: { placement: { constraints: ['node.platform.os == plan10'] } } },
      /^deploy\.placement\.constraints\[0\]: 'plan10' is none of Go's systems/,
    ],
    [{ pull_policy: 'never' }, /^pull_policy: /],
    [{ credential_spec: { config: 'c' } }, /^credential_spec\.config: write `file` or `registry`$/],
    [{ credential_spec: { file: 'f', registry: 'r' } }, /^credential_spec: write `file` or `reg/],
    [{ credential_spec: { files: 'f' } }, /^credential_spec\.files: Nomad has nothing/],
    [{ environment: { 'A=B': 'c' } }, /^environment\.A=B: /],
  ],
})
