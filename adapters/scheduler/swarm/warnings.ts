import { Rejected } from '../../../src/core/errors.ts'
import {
  atPointer,
  isJsonObject,
  type Json,
  type JsonObject,
  member,
} from '../../../src/core/json.ts'
import { isExternal } from '../../../src/core/compose/declared.ts'
import { list, object } from '../../../src/core/compose/reader.ts'
import type { Service, TaskType } from '../../../src/core/task-type.ts'
import type { UnitSpec } from '../../../src/core/unit.ts'
import { NEWEST_API } from './spec/draft.ts'
import { grantsOf, type GrantKind } from './spec/grants.ts'
import { newerKeys, newerKeyWarning } from './spec/newer-keys.ts'
import { serviceSpecOf } from './spec/service-spec.ts'
import { unreadKeys } from './unread-keys.ts'

/** Keys of which a service of a swarm has none, and why where the key alone does not say it. */
export const NOT_HONOURED: Readonly<Record<string, string>> = {
  annotations: 'Swarm has none: write `labels`',
  blkio_config: 'Swarm has no limits of block devices',
  cgroup: 'Swarm gives every task a cgroup namespace of its own',
  cgroup_parent: 'Swarm chooses the parent itself',
  cpu_shares: 'write `deploy.resources`',
  cpuset: 'write `deploy.resources`',
  device_cgroup_rules: 'Swarm gives tasks no devices',
  devices: 'Swarm gives tasks no devices',
  domainname: 'Swarm has none: write the whole name as `hostname`',
  ipc: 'Swarm gives every task an IPC namespace of its own',
  mac_address: 'Swarm gives addresses itself',
  pid: 'Swarm gives every task a process namespace of its own',
  pull_policy: 'a node pulls what it does not have, and a tag at every start',
  runtime: "a node's own default runtime runs it",
  storage_opt: 'Swarm has none',
  userns_mode: "a node's own setting decides",
  uts: 'Swarm gives every task a UTS namespace of its own',
}

const DEEPER: Readonly<Record<string, string>> = {
  '/deploy/placement/max_replicas_per_node':
    'every attempt is a service of its own: write `x-task.concurrency`',
  '/deploy/resources/reservations/devices':
    'Swarm knows `generic_resources`, which a node announces',
}

/** What no swarm can honour of a task type, what it refuses, and what it expects to be there. */
export function warningsOf(type: TaskType): readonly string[] {
  const { service } = type
  const { compose } = service
  return [
    ...Object.entries(NOT_HONOURED).flatMap(([key, why]) =>
      compose[key] === undefined ? [] : [notHonoured(key, why)],
    ),
    ...Object.entries(DEEPER).flatMap(([pointer, why]) =>
      atPointer(compose, pointer) === undefined ? [] : [notHonoured(dotted(pointer), why)],
    ),
    ...unreadKeys(compose).map(({ key, why }) => notHonoured(key, why)),
    ...newerKeys(service).map(newerKeyWarning),
    ...networkWarnings(service),
    ...modeWarnings(compose),
    ...templateWarnings(service),
    ...declarationWarnings(service),
    ...refusals(type),
  ]
}

function notHonoured(key: string, why: string): string {
  return `${key} is not honoured by Swarm: ${why}`
}

function dotted(pointer: string): string {
  return pointer.slice(1).replaceAll('/', '.')
}

function networkWarnings({ compose, declared }: Service): readonly string[] {
  const mode = compose['network_mode']
  const known = mode === undefined || mode === 'host' || mode === 'none' || mode === 'bridge'
  const networks = isJsonObject(compose['networks'])
    ? Object.keys(compose['networks'])
    : list(compose['networks'])
  const undeclared = networks.includes('default') && declared?.networks?.['default'] === undefined
  return [
    ...(known ? [] : [notHonoured('network_mode', 'it knows `host`, `none` and `bridge`')]),
    ...(undeclared
      ? [
          notHonoured(
            'networks.default',
            "nothing makes one: the task gets its node's own bridge unless `default` is declared as external",
          ),
        ]
      : []),
  ]
}

/** A number is what it is, to Compose as well: `440` is hardly ever meant. */
function modeWarnings(compose: JsonObject): readonly string[] {
  return (['secrets', 'configs'] as const).flatMap((kind) =>
    list(compose[kind]).flatMap((item, i) => {
      const mode = isJsonObject(item) ? item['mode'] : undefined
      if (typeof mode !== 'number' || !/^[0-7]{3}$/.test(String(mode))) return []
      const octal = mode.toString(8).padStart(4, '0')
      return [
        `${kind}[${i}].mode is ${mode}, which is ${octal} in octal: for ${mode} in octal write 0${mode}`,
      ]
    }),
  )
}

function templateWarnings({ environment }: Service): readonly string[] {
  return Object.entries(environment).flatMap(([name, value]) =>
    value.includes('{{')
      ? [
          notHonoured(
            `the template in environment.${name}`,
            'environment values are given as they are, for some of them come from a message',
          ),
        ]
      : [],
  )
}

/** Nothing is ever created: what is not declared external would be expected to be made by somebody. */
function declarationWarnings({ compose, declared }: Service): readonly string[] {
  const used = (kind: GrantKind | 'networks'): readonly string[] => {
    const names = compose[kind]
    if (isJsonObject(names)) return Object.keys(names)
    return list(names).flatMap((item) => {
      const name = isJsonObject(item) ? item['source'] : item
      return typeof name === 'string' ? [name] : []
    })
  }
  return (['secrets', 'configs', 'networks'] as const).flatMap((kind) =>
    used(kind).flatMap((name) => {
      const declaration: Json | undefined = member(declared?.[kind], name)
      if (declaration === undefined && name === 'default') return []
      if (isExternal(declaration)) return []
      return [
        `${kind}.${name} is never created by Longhaul: it must be in the swarm already (\`external: true\`)`,
      ]
    }),
  )
}

/** What every swarm would refuse, seen by making the spec of a sample. */
function refusals({ service, name, directory, retry }: TaskType): readonly string[] {
  const sample: UnitSpec = {
    name: `lh-${name}`,
    identity: {
      installation: '',
      taskId: '',
      taskUid: '',
      taskType: name,
      run: 1,
      attempt: 1,
    },
    service,
    directory,
    logTailBytes: 0,
  }
  try {
    serviceSpecOf(sample, sampleFacts(service))
  } catch (error) {
    if (!(error instanceof Rejected)) throw error
    return [`${error.message}; no start will be taken`]
  }
  const limit = object(atPointer(service.compose, '/deploy/resources/limits') ?? {}, 'limits')
  return retry.rules.flatMap((rule, i) =>
    rule.memory !== undefined && limit['memory'] === undefined
      ? [
          `x-task.retry.rules[${i}].resources: there is no \`deploy.resources.limits.memory\` that could be raised`,
        ]
      : [],
  )
}

/** A swarm that has everything, with names in the place of ids. */
export function sampleFacts(service: Service) {
  const names = (kind: GrantKind) =>
    new Map(grantsOf(service, kind).map(({ name }) => [name, `(id of ${name})`]))
  return {
    api: NEWEST_API,
    image: service.image ?? '',
    secretIds: names('secrets'),
    configIds: names('configs'),
  }
}
