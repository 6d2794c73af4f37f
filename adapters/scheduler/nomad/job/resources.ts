import { asksNothing } from '../../../../src/core/compose/unread.ts'
import { bytes, list, number, object, text } from '../../../../src/core/compose/reader.ts'
import type { Json, JsonObject } from '../../../../src/core/json.ts'
import type { Placed, Subject, Translate } from './placed.ts'
import { dotted, needs, type Path, Unhonoured } from './unhonoured.ts'
import { onlyKnows, present, texts } from './values.ts'

const MIB = 1024 * 1024
/** Less is refused when it is registered (nomad/structs, MinResources). */
const LEAST_MEMORY_MB = 10

interface Wanted {
  readonly limits: JsonObject
  readonly reservations: JsonObject
}

/**
 * `deploy.resources`. Nomad reserves whatever it limits. CPUs are whole cores of the task's own, or, with
 * `x-task.nomad.cpu`, a share in MHz: how many of those a CPU is differs from node to node.
 */
export const resources: Translate = (value, subject) => {
  const { path } = subject
  const written = object(value, 'deploy.resources')
  const limits = object(written['limits'], 'deploy.resources.limits')
  const reservations = object(written['reservations'], 'deploy.resources.reservations')
  const wanted = { limits, reservations }
  if (!asksNothing(reservations['generic_resources'] ?? null)) {
    throw new Unhonoured(
      [...path, 'reservations', 'generic_resources'],
      'Nomad has none: write `devices`, or `x-task.nomad.constraints`',
    )
  }
  const cpu = cpuOf(wanted, subject)
  const memory = memoryOf(wanted, subject)
  const devices = devicesOf(reservations['devices'], subject)
  const found = present({ ...cpu.resources, ...memory.resources, Devices: devices })
  const config = { ...cpu.config, ...memory.config, ...pidsOf(limits, subject) }
  return {
    ...(Object.keys(found).length > 0 && { task: { Resources: found } }),
    ...(Object.keys(config).length > 0 && { config }),
  }
}

interface Share {
  readonly resources?: JsonObject
  readonly config?: JsonObject
}

function cpuOf({ limits, reservations }: Wanted, { path, settings }: Subject): Share {
  const limit = cpusOf(limits, [...path, 'limits'])
  const reserved = cpusOf(reservations, [...path, 'reservations'])
  const at = [...path, limit === undefined ? 'reservations' : 'limits', 'cpus']
  const { driver, cpuMhz } = settings
  if (cpuMhz !== undefined) {
    if (limit === undefined) return {}
    if (driver === 'docker' || driver === 'podman') return { config: { cpu_hard_limit: true } }
    throw new Unhonoured(
      at,
      `nothing holds ${driver} to a share: take \`x-task.nomad.cpu\` away and write whole CPUs`,
    )
  }
  const cores = limit ?? reserved
  if (cores === undefined) return {}
  if (Number.isInteger(cores)) return { resources: { Cores: cores } }
  throw new Unhonoured(
    at,
    `Nomad gives whole cores or a share in MHz: write \`x-task.nomad.cpu\` beside ${cores}`,
  )
}

/** None of them is no limit, and no reservation. */
function cpusOf(asked: JsonObject, path: Path): number | undefined {
  const at = [...path, 'cpus']
  const cpus = number(asked['cpus'], dotted(at)) ?? 0
  if (cpus < 0) throw new Unhonoured(at, `${cpus} is no number of CPUs`)
  return cpus === 0 ? undefined : cpus
}

function memoryOf(
  { limits, reservations }: Wanted,
  { path, unit, settings, facts }: Subject,
): Share {
  const { driver } = settings
  const limitAt = [...path, 'limits', 'memory']
  const written = bytes(limits['memory'], 'deploy.resources.limits.memory')
  const limit = megabytes(unit.memoryBytes ?? written, limitAt)
  const reserved = megabytes(
    bytes(reservations['memory'], 'deploy.resources.reservations.memory'),
    [...path, 'reservations', 'memory'],
  )
  if (limit !== undefined && driver === 'raw_exec') needs(facts, [1, 7, 0], limitAt)
  if (limit === undefined)
    return reserved === undefined ? {} : { resources: { MemoryMB: reserved } }
  // Others are held to what they reserve, unless the servers allow more than there is.
  if (driver !== 'docker' || reserved === undefined || reserved >= limit) {
    return { resources: { MemoryMB: limit } }
  }
  return { resources: { MemoryMB: reserved }, config: { memory_hard_limit: limit } }
}

function megabytes(size: number | undefined, path: Path): number | undefined {
  if (size === undefined) return undefined
  const found = Math.ceil(size / MIB)
  if (found >= LEAST_MEMORY_MB) return found
  throw new Unhonoured(path, `Nomad gives no task less than ${LEAST_MEMORY_MB}M`)
}

function pidsOf(limits: JsonObject, { path, settings: { driver } }: Subject): JsonObject {
  const limit = number(limits['pids'], 'deploy.resources.limits.pids')
  // Compose's word for no limit, which is the drivers' default.
  if (limit === undefined || limit <= 0) return {}
  if (driver === 'docker' || driver === 'podman') return { pids_limit: limit }
  throw new Unhonoured([...path, 'limits', 'pids'], `${driver} limits no processes`)
}

/**
 * `{ driver: nvidia, count: 1, capabilities: [gpu] }`: devices as Nomad's plugins announce them. Without a
 * count, Compose means all that there are.
 */
function devicesOf(value: Json | undefined, { path, settings }: Subject): Json | undefined {
  const devices = list(value).map((item, i) => {
    const at = [...path, 'reservations', 'devices', String(i)]
    if (!['docker', 'exec'].includes(settings.driver)) {
      throw new Unhonoured(at, `${settings.driver} gives no devices of Nomad's`)
    }
    const wanted = object(item, dotted(at))
    onlyKnows(wanted, ['capabilities', 'count', 'driver'], at, {
      device_ids: 'Nomad chooses the devices itself',
      options: 'Nomad hands none over',
    })
    const capabilities = texts(wanted['capabilities'], [...at, 'capabilities'])
    if (capabilities.length === 0 || capabilities.some((one) => one !== 'gpu')) {
      throw new Unhonoured(
        [...at, 'capabilities'],
        'Nomad gives GPUs alone: write `capabilities: [gpu]`',
      )
    }
    const count = Number(wanted['count'] ?? Number.NaN)
    if (!Number.isInteger(count) || count < 1) {
      throw new Unhonoured([...at, 'count'], 'Nomad gives GPUs by their number: write `count: 1`')
    }
    const vendor = text(wanted['driver'], dotted([...at, 'driver']))
    return { Name: vendor === undefined ? 'gpu' : `${vendor}/gpu`, Count: count }
  })
  return devices.length === 0 ? undefined : devices
}

/** What is reserved whether or not anything is written of resources. */
export function shareOf({ settings: { cpuMhz } }: Pick<Subject, 'settings'>): Placed {
  return cpuMhz === undefined ? {} : { task: { Resources: { CPU: cpuMhz } } }
}
