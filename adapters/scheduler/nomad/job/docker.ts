import { isIP } from 'node:net'
import { bytes, number, object, text } from '../../../../src/core/compose/reader.ts'
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
import { devicesIn } from './devices.ts'
import { grants, inMounts, volumes } from './docker-mounts.ts'
import { containerLabels, jobMeta } from './labels.ts'
import { dockerNetworks, networkMode } from './networks.ts'
import { never, type Translate, type Translations, withProgram } from './placed.ts'
import { placement, platform } from './placement.ts'
import { resources } from './resources.ts'
import { dockerTmpfs, tmpfsOf } from './tmpfs.ts'
import { dotted, needs, Unhonoured } from './unhonoured.ts'
import { onlyKnows, pairs, present, texts } from './values.ts'

const devices: Translate = (value, { path }) => {
  const found = devicesIn(value, path).map(({ host, container, permissions }) =>
    present({ host_path: host, container_path: container, cgroup_permissions: permissions }),
  )
  return found.length === 0 ? {} : { config: { devices: found } }
}

const logging: Translate = (value, { path }) => {
  const written = object(value, 'logging')
  const options = pairs(written['options'], [...path, 'options'])
  const found = present({
    type: text(written['driver'], 'logging.driver'),
    config: Object.keys(options).length === 0 ? undefined : [options],
  })
  return Object.keys(found).length === 0 ? {} : { config: { logging: found } }
}

/** An address that the driver cannot read it passes over with a line in its log. */
const dns: Translate = (value, { path }) => {
  const servers = texts(value, path)
  const odd = servers.find((server) => isIP(server) === 0)
  if (odd !== undefined) throw new Unhonoured(path, `'${odd}' is no address`)
  return servers.length === 0 ? {} : { config: { dns_servers: servers } }
}

const healthcheck: Translate = (value, subject) => {
  noHealthCheck(value, subject)
  const check = isJsonObject(value) ? value : {}
  return Object.keys(check).length === 0 ? {} : { config: { healthchecks: { disable: true } } }
}

const credentialSpec: Translate = (value, { path }) => {
  const spec = object(value, 'credential_spec')
  const keys = ['file', 'registry']
  onlyKnows(spec, keys, path, { config: 'write `file` or `registry`' })
  const [file, registry] = keys.map((key) => text(spec[key], dotted([...path, key])))
  const from = file ?? registry
  if (from === undefined || (file !== undefined && registry !== undefined)) {
    throw new Unhonoured(path, 'write `file` or `registry`')
  }
  const scheme = file === undefined ? 'registry' : 'file'
  return { config: { security_opt: [`credentialspec=${scheme}://${from}`] } }
}

const oomScore: Translate = (value, { path, facts }) => {
  const score = number(value, 'oom_score_adj') ?? 0
  if (score === 0) return {}
  needs(facts, [1, 8, 1], path)
  return { config: { oom_score_adj: score } }
}

const since =
  (release: readonly [number, number, number], translate: Translate): Translate =>
  (value, subject) => {
    needs(subject.facts, release, subject.path)
    return translate(value, subject)
  }

/** The docker driver (drivers/docker/config.go). */
export const DOCKER: Translations = {
  annotations: never('docker has none: write `labels`'),
  blkio_config: never('Nomad has no limits of block devices'),
  cap_add: asTexts('cap_add'),
  cap_drop: asTexts('cap_drop'),
  cgroup: since([1, 10, 0], asOneOf('cgroupns', ['host', 'private'])),
  cgroup_parent: never('Nomad chooses the parent itself'),
  command: withProgram,
  configs: grants('configs'),
  cpu_shares: never('write `deploy.resources`, or `x-task.nomad.cpu`'),
  cpuset: never('Nomad chooses the cores: write whole `deploy.resources.limits.cpus`'),
  credential_spec: credentialSpec,
  'deploy.labels': jobMeta,
  'deploy.placement': placement,
  'deploy.resources': resources,
  device_cgroup_rules: never('Nomad has none: write `devices`'),
  devices,
  dns,
  dns_opt: asTexts('dns_options'),
  dns_search: asTexts('dns_search_domains'),
  domainname: never('Nomad has none: write the whole name as `hostname`'),
  entrypoint: withProgram,
  environment: withProgram,
  extra_hosts: extraHosts,
  group_add: since([1, 5, 0], asTexts('group_add')),
  healthcheck,
  hostname: asText('hostname'),
  image: withProgram,
  init: asFlag('init'),
  ipc: asOneOf('ipc_mode', ['host', 'private', 'shareable', 'none']),
  isolation: since([1, 5, 0], asText('isolation')),
  labels: containerLabels,
  logging,
  mac_address: asText('mac_address'),
  network_mode: networkMode,
  networks: dockerNetworks,
  oom_score_adj: oomScore,
  pid: asOneOf('pid_mode', ['host']),
  platform,
  pull_policy: pullPolicy,
  read_only: asFlag('readonly_rootfs'),
  runtime: asText('runtime'),
  secrets: grants('secrets'),
  security_opt: asTexts('security_opt'),
  shm_size: (value) => {
    const size = bytes(value, 'shm_size')
    return size === undefined ? {} : { config: { shm_size: size } }
  },
  stdin_open: asFlag('interactive'),
  stop_grace_period: withProgram,
  stop_signal: withProgram,
  storage_opt: (value, { path }) => {
    const options = pairs(value, path)
    return Object.keys(options).length === 0 ? {} : { config: { storage_opt: options } }
  },
  sysctls: asPairs('sysctl'),
  tmpfs: (value, { path }) =>
    inMounts(...texts(value, path).map((one) => dockerTmpfs(tmpfsOf(one, path)))),
  tty: asFlag('tty'),
  ulimits,
  user,
  userns_mode: asText('userns_mode'),
  uts: asOneOf('uts_mode', ['host']),
  volumes,
  working_dir: folderInContainer('work_dir'),
}
