import { bytes, list, number, object, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject } from '../../../../src/core/json.ts'
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
import { type GrantKind, grantsOf, templateOf } from './grants.ts'
import { containerLabels, jobMeta } from './labels.ts'
import { folderOfNode, type Mount, mountsIn } from './mount-form.ts'
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
import { Unhonoured } from './unhonoured.ts'
import { flag, pairs, present, texts } from './values.ts'

const grants =
  (kind: GrantKind): Translate =>
  (value, subject) =>
    together(
      grantsOf(value, kind, subject).map((grant) => ({
        task: { Templates: [templateOf(grant)] },
        config: { volumes: [`${grant.file}:${grant.target}:ro`] },
      })),
    )

const volumes: Translate = (value, { path, settings }) =>
  together(mountsIn(value, path).map((mount) => placed(mount, settings.volumes)))

function placed(mount: Mount, ofNomad: Parameters<typeof nomadVolume>[2]): Placed {
  const { written, path, type, source, target } = mount
  switch (type) {
    case 'bind': {
      const bind = object(written['bind'], 'volumes.bind')
      const options = [
        ...(flag(written['read_only'], path) === true ? ['ro'] : []),
        ...['propagation', 'selinux'].flatMap((key) => text(bind[key], 'volumes.bind') ?? []),
      ]
      const folder = folderOfNode(mount)
      if (`${folder}${target}`.includes(':')) {
        throw new Unhonoured(path, 'podman takes no `:` in a path')
      }
      return {
        config: { volumes: [[folder, target, options.join(',')].filter(Boolean).join(':')] },
      }
    }
    case 'tmpfs':
      return { config: { tmpfs: [podmanTmpfs(tmpfsOfMount(mount))] } }
    case 'volume': {
      const declared = source === undefined ? undefined : ofNomad[source]
      if (source !== undefined && declared !== undefined) {
        return nomadVolume(mount, source, object(declared, 'x-task.nomad.volumes'))
      }
      throw new Unhonoured(
        path,
        'the podman driver makes no volumes: write `x-task.nomad.volumes`, or a folder of the node',
      )
    }
    default:
      throw new Unhonoured(path, `Nomad has no mounts of the type '${type}'`)
  }
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
  const found = list(value).map((item, i) => {
    const parts = isJsonObject(item)
      ? ['source', 'target', 'permissions'].flatMap((key) => text(item[key], 'devices') ?? [])
      : [text(item, 'devices') ?? '']
    if (parts[0]?.startsWith('/') !== true) {
      throw new Unhonoured([...path, String(i)], `'${parts[0] ?? ''}' is no device of a node`)
    }
    return parts.join(':')
  })
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
