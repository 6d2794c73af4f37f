import { bytes, list, number, object, text } from '../../../../src/core/compose/reader.ts'
import type { Json, JsonObject } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import { type Path, Unhonoured } from './unhonoured.ts'
import { present, texts } from './values.ts'

export const SETTINGS_PATH = ['x-task', 'nomad']

export type DriverName = 'docker' | 'podman' | 'exec' | 'raw_exec'

/** `x-task.nomad`, every default applied that is Longhaul's own. */
export interface NomadSettings {
  readonly driver: DriverName
  readonly datacenters?: readonly string[]
  readonly nodePool?: string
  readonly priority?: number
  readonly constraints: readonly JsonObject[]
  readonly cpuMhz?: number
  readonly diskBytes?: number
  /** By the name at the top level of the file. */
  readonly volumes: JsonObject
  readonly variables: JsonObject
}

export function settingsOf({ nomad = {} }: Pick<Service, 'nomad'>): NomadSettings {
  const at = (key: string): [Json | undefined, string] => [nomad[key], `x-task.nomad.${key}`]
  const datacenters = texts(nomad['datacenters'], [...SETTINGS_PATH, 'datacenters'])
  const nodePool = text(...at('node_pool'))
  const priority = number(...at('priority'))
  const cpuMhz = number(...at('cpu'))
  const diskBytes = bytes(...at('disk'))
  return {
    driver: driverOf(text(...at('driver')) ?? 'docker'),
    ...(datacenters.length > 0 && { datacenters }),
    ...(nodePool !== undefined && { nodePool }),
    ...(priority !== undefined && { priority }),
    constraints: list(nomad['constraints']).map((one, i) =>
      constraintOf(one, [...SETTINGS_PATH, 'constraints', String(i)]),
    ),
    ...(cpuMhz !== undefined && { cpuMhz }),
    ...(diskBytes !== undefined && { diskBytes }),
    volumes: object(...at('volumes')),
    variables: object(...at('variables')),
  }
}

function driverOf(name: string): DriverName {
  if (name === 'docker' || name === 'podman' || name === 'exec' || name === 'raw_exec') return name
  throw new Unhonoured([...SETTINGS_PATH, 'driver'], `no task type is translated for '${name}'`)
}

/** In Nomad's own words: what is filled in here is a node's, by the operator's own wish. */
function constraintOf(item: Json, path: Path): JsonObject {
  const written = object(item, 'x-task.nomad.constraints')
  const attribute = text(written['attribute'], 'x-task.nomad.constraints.attribute')
  if (attribute === undefined) throw new Unhonoured(path, 'it needs an attribute')
  return present({
    LTarget: attribute,
    Operand: text(written['operator'], 'x-task.nomad.constraints.operator') ?? '=',
    RTarget: text(written['value'], 'x-task.nomad.constraints.value'),
  })
}
