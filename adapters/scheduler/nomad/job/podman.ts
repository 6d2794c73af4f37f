import { bytes, number, object, text } from '../../../../src/core/compose/reader.ts'
import {
  asFlag,
  asOneOf,
  asPairs,
  asText,
  asTexts,
  extraHosts,
  folderInContainer,
  noHealthCheck,
  pullPolicy,
  ulimits,
  user,
} from './container-keys.ts'
import { devicesIn } from './devices.ts'
import { type GrantKind, grantsOf, templateOf } from './grants.ts'
import { containerLabels, jobMeta } from './labels.ts'
import { bindOptions, folderOfNode, type Mount, mountsIn } from './mount-form.ts'
import { networkMode, podmanNetworks } from './networks.ts'
import { nomadVolume } from './nomad-volumes.ts'
import {
  never,
  type Placed,
  together,
  type Translate,
  type Translations,
  withProgram,
} from './placed.ts'
import { placement, platform } from './placement.ts'
import { resources } from './resources.ts'
import { podmanTmpfs, tmpfsOfMount } from './tmpfs.ts'
import { dotted, Unhonoured } from './unhonoured.ts'
import { pairs, present, texts } from './values.ts'

const grants =
  (kind: GrantKind): Translate =>
  (value, subject) =>
    together(
      grantsOf(value, kind, subject).map((grant) => ({
        task: { Templates: [templateOf(grant)] },
        config: { volumes: [`${grant.file}:${grant.target}:ro`] },
      })),
    )

const volumes: Translate = (value, subject) =>
  together(
    mountsIn(value, subject.path).map((mount) => nomadVolume(mount, subject) ?? placed(mount)),
  )

function placed(mount: Mount): Placed {
  const { path, type, target } = mount
  if (type === 'tmpfs') return { config: { tmpfs: [podmanTmpfs(tmpfsOfMount(mount))] } }
  if (type === 'volume') {
    throw new Unhonoured(
      path,
      'the podman driver makes no volumes: write `x-task.nomad.volumes`, or a folder of the node',
    )
  }
  const bind = bindOptions(mount, ['selinux'])
  const options = [
    ...(mount.readOnly === true ? ['ro'] : []),
    ...['propagation', 'selinux'].flatMap(
      (key) => text(bind[key], dotted([...path, 'bind', key])) ?? [],
    ),
  ]
  const folder = folderOfNode(mount)
  if (`${folder}${target}`.includes(':')) {
    throw new Unhonoured(path, 'podman takes no `:` in a path')
  }
  return { config: { volumes: [[folder, target, options.join(',')].filter(Boolean).join(':')] } }
}

const LOG_DRIVERS = ['nomad', 'journald']

const logging: Translate = (value, { path }) => {
  const written = object(value, 'logging')
  const driver = text(written['driver'], 'logging.driver')
  if (driver !== undefined && !LOG_DRIVERS.includes(driver)) {
    throw new Unhonoured([...path, 'driver'], `must be ${LOG_DRIVERS.join(' or ')}`)
  }
  const options = pairs(written['options'], [...path, 'options'])
  const found = present({
    driver,
    options: Object.keys(options).length === 0 ? undefined : [options],
  })
  return Object.keys(found).length === 0 ? {} : { config: { logging: found } }
}

const devices: Translate = (value, { path }) => {
  const found = devicesIn(value, path).map(({ host, container, permissions }) =>
    [host, container, permissions].filter((part) => part !== undefined).join(':'),
  )
  return found.length === 0 ? {} : { config: { devices: found } }
}

/** The podman driver (hashicorp/nomad-driver-podman, config.go of 0.6.5). */
export const PODMAN: Translations = {
  annotations: never('podman is given none: write `labels`'),
  blkio_config: never('Nomad has no limits of block devices'),
  cap_add: asTexts('cap_add'),
  cap_drop: asTexts('cap_drop'),
  cgroup: never('podman gives every task a cgroup namespace of its own'),
  cgroup_parent: never('Nomad chooses the parent itself'),
  command: withProgram,
  configs: grants('configs'),
  cpu_shares: never('write `deploy.resources`, or `x-task.nomad.cpu`'),
  cpuset: never('Nomad chooses the cores: write whole `deploy.resources.limits.cpus`'),
  credential_spec: never('it is for Windows'),
  'deploy.labels': jobMeta,
  'deploy.placement': placement,
  'deploy.resources': resources,
  device_cgroup_rules: never('Nomad has none: write `devices`'),
  devices,
  dns: never('podman is given none: write it into its own configuration'),
  dns_opt: never('podman is given none: write it into its own configuration'),
  dns_search: never('podman is given none: write it into its own configuration'),
  domainname: never('Nomad has none: write the whole name as `hostname`'),
  entrypoint: withProgram,
  environment: withProgram,
  extra_hosts: extraHosts,
  group_add: never('podman is given none: write `user` as `uid:gid`'),
  healthcheck: noHealthCheck,
  hostname: asText('hostname'),
  image: withProgram,
  init: asFlag('init'),
  ipc: asOneOf('ipc_mode', ['host', 'private', 'shareable', 'none']),
  isolation: never('it is for Windows'),
  labels: containerLabels,
  logging,
  mac_address: asText('static_mac'),
  network_mode: networkMode,
  networks: podmanNetworks,
  oom_score_adj: (value) => {
    const score = number(value, 'oom_score_adj') ?? 0
    return score === 0 ? {} : { config: { oom_score_adj: score } }
  },
  pid: never('podman gives every task a process namespace of its own'),
  platform,
  pull_policy: pullPolicy,
  read_only: asFlag('readonly_rootfs'),
  runtime: never("podman's own default runtime runs it"),
  secrets: grants('secrets'),
  security_opt: asTexts('security_opt'),
  shm_size: (value) => {
    const size = bytes(value, 'shm_size')
    return size === undefined ? {} : { config: { shm_size: `${size}b` } }
  },
  stdin_open: never('podman is given no standard input'),
  stop_grace_period: withProgram,
  stop_signal: withProgram,
  storage_opt: never('podman is given none'),
  sysctls: asPairs('sysctl'),
  tmpfs: (value, { path }) => {
    const folders = texts(value, path)
    return folders.length === 0 ? {} : { config: { tmpfs: folders } }
  },
  tty: asFlag('tty'),
  ulimits,
  user,
  userns_mode: asText('userns'),
  uts: never('podman gives every task a UTS namespace of its own'),
  volumes,
  working_dir: folderInContainer('working_dir'),
}
