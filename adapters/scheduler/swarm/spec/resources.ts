import { bytes, list, number, object, text } from '../../../../src/core/compose/reader.ts'
import type { Json, JsonObject } from '../../../../src/core/json.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { presentOrNone, refused } from './draft.ts'

/** `deploy.resources`; a memory limit that retries have raised takes the place of the written one. */
export function resourcesOf({ service, memoryBytes }: UnitSpec): JsonObject | undefined {
  const key = 'deploy.resources'
  const resources = object(object(service.compose['deploy'], 'deploy')['resources'], key)
  const limits = object(resources['limits'], `${key}.limits`)
  const reservations = object(resources['reservations'], `${key}.reservations`)
  const generic = list(reservations['generic_resources']).map(genericResource)
  return presentOrNone({
    Limits: presentOrNone({
      NanoCPUs: nanoCpus(limits['cpus'], `${key}.limits.cpus`),
      MemoryBytes: memoryBytes ?? bytes(limits['memory'], `${key}.limits.memory`),
      Pids: number(limits['pids'], `${key}.limits.pids`),
    }),
    Reservations: presentOrNone({
      NanoCPUs: nanoCpus(reservations['cpus'], `${key}.reservations.cpus`),
      MemoryBytes: bytes(reservations['memory'], `${key}.reservations.memory`),
      GenericResources: generic.length === 0 ? undefined : generic,
    }),
  })
}

function nanoCpus(value: Json | undefined, key: string): number | undefined {
  const cpus = number(value, key)
  return cpus === undefined ? undefined : Math.round(cpus * 1_000_000_000)
}

function genericResource(item: Json): JsonObject {
  const key = 'deploy.resources.reservations.generic_resources'
  const spec = object(object(item, key)['discrete_resource_spec'], key)
  const kind = text(spec['kind'], key)
  const value = number(spec['value'], key)
  if (kind === undefined || value === undefined) {
    throw refused(key, 'each item is `discrete_resource_spec: { kind, value }`')
  }
  return { DiscreteResourceSpec: { Kind: kind, Value: value } }
}

/** `deploy.placement` and `platform`. */
export function placementOf({ service }: UnitSpec): JsonObject | undefined {
  const key = 'deploy.placement'
  const placement = object(object(service.compose['deploy'], 'deploy')['placement'], key)
  const constraints = list(placement['constraints']).map((one) => text(one, key) ?? '')
  const preferences = list(placement['preferences']).map((one) => {
    const spread = text(object(one, key)['spread'], `${key}.preferences`)
    if (spread === undefined) throw refused(`${key}.preferences`, 'each item is `spread: LABEL`')
    return { Spread: { SpreadDescriptor: spread } }
  })
  const platform = text(service.compose['platform'], 'platform')
  return presentOrNone({
    Constraints: constraints.length === 0 ? undefined : constraints,
    Preferences: preferences.length === 0 ? undefined : preferences,
    Platforms: platform === undefined ? undefined : [platformOf(platform)],
  })
}

function platformOf(written: string): JsonObject {
  const [os = '', architecture] = written.split('/')
  return { OS: os, ...(architecture !== undefined && { Architecture: architecture }) }
}
