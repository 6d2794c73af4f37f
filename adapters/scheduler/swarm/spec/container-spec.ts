import { isIP } from 'node:net'
import { list, number, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { unitLabelsOf } from '../labels.ts'
import { flag, nanoseconds, pairs, present, presentOrNone, refused, texts } from './draft.ts'
import type { SwarmFacts } from './draft.ts'
import { environmentOf, noNul } from './environment.ts'
import { grantsOf, references } from './grants.ts'
import { healthOf } from './health.ts'
import { mountsOf } from './mounts.ts'
import { privilegesOf } from './security.ts'

/** What runs inside the container: swarmkit's ContainerSpec. */
export function containerSpecOf(unit: UnitSpec, facts: SwarmFacts): JsonObject {
  const { service } = unit
  const { compose } = service
  const mounts = mountsOf(service)
  const groups = list(compose['group_add']).map((one) => text(one, 'group_add') ?? '')
  return present({
    Image: facts.image,
    Labels: { ...pairs(compose['labels'], 'labels'), ...unitLabelsOf(unit) },
    Command: wordsOf(service.entrypoint, 'entrypoint'),
    Args: wordsOf(service.command, 'command'),
    Hostname: text(compose['hostname'], 'hostname'),
    Env: environmentOf(service.environment),
    Dir: folderIn(service.workingDir),
    User: text(compose['user'], 'user'),
    Groups: groups.length === 0 ? undefined : groups,
    Privileges: privilegesOf(compose),
    TTY: flag(compose['tty'], 'tty'),
    OpenStdin: flag(compose['stdin_open'], 'stdin_open'),
    ReadOnly: flag(compose['read_only'], 'read_only'),
    Init: flag(compose['init'], 'init'),
    Isolation: text(compose['isolation'], 'isolation'),
    Mounts: mounts.length === 0 ? undefined : mounts,
    StopSignal: service.stopSignal,
    StopGracePeriod: nanoseconds(service.stopGraceMs),
    Healthcheck: healthOf(compose['healthcheck']),
    Hosts: hostsOf(compose['extra_hosts']),
    DNSConfig: presentOrNone({
      Nameservers: texts(compose['dns'], 'dns'),
      Search: texts(compose['dns_search'], 'dns_search'),
      Options: texts(compose['dns_opt'], 'dns_opt'),
    }),
    Secrets: references(grantsOf(service, 'secrets'), 'secrets', facts.secretIds),
    Configs: references(grantsOf(service, 'configs'), 'configs', facts.configIds),
    Sysctls: presentOrNone(pairs(compose['sysctls'], 'sysctls')),
    CapabilityAdd: texts(compose['cap_add'], 'cap_add'),
    CapabilityDrop: texts(compose['cap_drop'], 'cap_drop'),
    Ulimits: ulimitsOf(compose['ulimits']),
    OomScoreAdj: number(compose['oom_score_adj'], 'oom_score_adj'),
  })
}

function wordsOf(words: readonly string[] | undefined, key: string): readonly string[] | undefined {
  if (words === undefined || words.length === 0) return undefined
  return words.map((word) => noNul(key, word))
}

function folderIn(workingDir: string | undefined): string | undefined {
  if (workingDir === undefined || /^(\/|[A-Za-z]:[\\/])/.test(workingDir)) return workingDir
  throw refused('working_dir', `'${workingDir}' must be an absolute path in the container`)
}

/** Compose's `name:address` as the engine's `address name`. */
function hostsOf(value: Json | undefined): readonly string[] | undefined {
  const lines = isJsonObject(value)
    ? Object.entries(value).map(([name, address]) => [name, text(address, name) ?? ''] as const)
    : (texts(value, 'extra_hosts') ?? []).map((line) => {
        const at = line.search(/[=:]/)
        return [line.slice(0, Math.max(0, at)), line.slice(at + 1)] as const
      })
  if (lines.length === 0) return undefined
  return lines.map(([name, written]) => {
    const address = written.replace(/^\[(.*)\]$/, '$1')
    if (name === '' || isIP(address) === 0) {
      throw refused('extra_hosts', `'${written}' is no address; Swarm has no host-gateway`)
    }
    return `${address} ${name}`
  })
}

function ulimitsOf(value: Json | undefined): readonly JsonObject[] | undefined {
  if (!isJsonObject(value)) return undefined
  return Object.entries(value).map(([name, limit]) => {
    const key = `ulimits.${name}`
    const both = isJsonObject(limit) ? limit : { soft: limit, hard: limit }
    const soft = number(both['soft'], key)
    const hard = number(both['hard'], key)
    const one = soft ?? hard
    if (one === undefined) throw refused(key, 'write a number, or `soft` and `hard`')
    return { Name: name, Soft: soft ?? one, Hard: hard ?? one }
  })
}
