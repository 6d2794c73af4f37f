import { number, text } from '../../../../src/core/compose/reader.ts'
import { asOneOf, asTexts, noHealthCheck } from './container-keys.ts'
import { jobMeta } from './labels.ts'
import { mountsIn } from './mount-form.ts'
import { nomadVolume } from './nomad-volumes.ts'
import { never, together, type Translate, type Translations, withProgram } from './placed.ts'
import { placement, platform } from './placement.ts'
import { resources } from './resources.ts'
import { needs, Unhonoured } from './unhonoured.ts'

/** Drivers look it up among the node's own users (helper/users), which have names. */
const nodeUser: Translate = (value, { path }) => {
  const name = text(value, 'user') ?? ''
  if (name === '') return {}
  if (/^\d|:/.test(name)) {
    throw new Unhonoured(path, `'${name}' must be the name of a user of the node`)
  }
  return { task: { User: name } }
}

const workingDir: Translate = (value, { path, facts, settings }) => {
  const folder = text(value, 'working_dir') ?? ''
  if (!folder.startsWith('/')) {
    const where = settings.driver === 'exec' ? "in the task's own root" : 'of the node'
    throw new Unhonoured(path, `'${folder}' must be an absolute path ${where}`)
  }
  needs(facts, [1, 9, 2], path)
  return { config: { work_dir: folder } }
}

/** A program is on its node's own network. */
const hostNetwork: Translate = (value, { path }) => {
  const mode = text(value, 'network_mode') ?? ''
  if (mode === 'host') return {}
  throw new Unhonoured(path, `a program is on its node's own network: write host, not '${mode}'`)
}

const nomadVolumes: Translate = (value, subject) =>
  together(
    mountsIn(value, subject.path).map((mount) => {
      const placed = nomadVolume(mount, subject)
      if (placed !== undefined) return placed
      throw new Unhonoured(
        mount.path,
        'exec mounts volumes of Nomad alone: write `x-task.nomad.volumes`',
      )
    }),
  )

const noContainer = 'a program has no container'
const noFiles = 'nothing is mounted for a program: put it on the node, or run an image'
const ownNetwork = "a program is on its node's own network"
const ofTheNode = "a program has the node's own"

/** What neither driver has, and both have alike. */
const COMMON: Translations = {
  annotations: never(noContainer),
  blkio_config: never('Nomad has no limits of block devices'),
  cgroup: never(noContainer),
  cgroup_parent: never('Nomad chooses the parent itself'),
  command: withProgram,
  configs: never(noFiles),
  cpu_shares: never('write `deploy.resources`, or `x-task.nomad.cpu`'),
  cpuset: never('Nomad chooses the cores: write whole `deploy.resources.limits.cpus`'),
  credential_spec: never(noContainer),
  'deploy.labels': jobMeta,
  'deploy.placement': placement,
  'deploy.resources': resources,
  device_cgroup_rules: never(noContainer),
  devices: never('write `deploy.resources.reservations.devices`'),
  dns: never(ofTheNode),
  dns_opt: never(ofTheNode),
  dns_search: never(ofTheNode),
  domainname: never(ofTheNode),
  entrypoint: withProgram,
  environment: withProgram,
  extra_hosts: never(ofTheNode),
  group_add: never('a program has the groups of its user'),
  healthcheck: noHealthCheck,
  hostname: never(ofTheNode),
  // Said by the warnings: a file that is also for containers names one.
  image: withProgram,
  init: never('a program has no init of its own'),
  isolation: never(noContainer),
  labels: never('a program has none: write `deploy.labels`'),
  logging: never("Nomad keeps a program's output itself"),
  mac_address: never(ownNetwork),
  network_mode: hostNetwork,
  networks: never(ownNetwork),
  platform,
  pull_policy: withProgram,
  read_only: never('a program sees what its driver lets it see'),
  runtime: never(noContainer),
  secrets: never(noFiles),
  security_opt: never(noContainer),
  shm_size: never(ofTheNode),
  stdin_open: never('a program is given no standard input'),
  stop_grace_period: withProgram,
  stop_signal: withProgram,
  storage_opt: never(noContainer),
  sysctls: never(ofTheNode),
  tmpfs: never(noFiles),
  tty: never('a program is given no terminal'),
  ulimits: never('a program has those of the Nomad agent'),
  user: nodeUser,
  userns_mode: never(noContainer),
  uts: never(noContainer),
  working_dir: workingDir,
}

/** The exec driver (drivers/exec/driver.go): a program in a root of its own. */
export const EXEC: Translations = {
  ...COMMON,
  cap_add: asTexts('cap_add'),
  cap_drop: asTexts('cap_drop'),
  ipc: asOneOf('ipc_mode', ['host', 'private']),
  oom_score_adj: never('exec has none'),
  pid: asOneOf('pid_mode', ['host', 'private']),
  volumes: nomadVolumes,
}

const bare = 'raw_exec isolates nothing'

/** The raw_exec driver (drivers/rawexec/driver.go): a program as the agent runs it. */
export const RAW_EXEC: Translations = {
  ...COMMON,
  cap_add: never(bare),
  cap_drop: never(bare),
  ipc: never(bare),
  oom_score_adj: (value, { path, facts }) => {
    const score = number(value, 'oom_score_adj') ?? 0
    if (score === 0) return {}
    if (score < 0) throw new Unhonoured(path, 'raw_exec takes none below 0')
    needs(facts, [1, 8, 1], path)
    return { config: { oom_score_adj: score } }
  },
  pid: never(bare),
  volumes: never(bare),
}
