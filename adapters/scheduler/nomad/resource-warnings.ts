import { parseBytes } from '../../../src/core/compose/bytes.ts'
import { atPointer, type Json, type JsonObject } from '../../../src/core/json.ts'
import type { Service } from '../../../src/core/task-type.ts'
import type { NomadSettings } from './job/settings.ts'

/** What Nomad gives a task of which nothing is said (nomad/structs, DefaultResources). */
const DEFAULT_MEMORY = '300M'

const LIMITS = 'deploy.resources.limits'
const RESERVATIONS = 'deploy.resources.reservations'

/** What is given otherwise than a reservation says, of a service that is not refused. */
export function resourceWarnings({ compose }: Service, settings: NomadSettings): readonly string[] {
  return [...memoryWarnings(compose, settings), ...cpuWarnings(compose, settings)]
}

function memoryWarnings(compose: JsonObject, { driver }: NomadSettings): readonly string[] {
  const { limit, reserved } = asked(compose, 'memory')
  if (limit === undefined && reserved === undefined) {
    return [`${LIMITS}.memory is not written: Nomad holds a task to ${DEFAULT_MEMORY}`]
  }
  const key = `${RESERVATIONS}.memory`
  if (limit === undefined) {
    return [`${key} is the limit as well: Nomad holds a task to what it reserves`]
  }
  if (reserved === undefined) return []
  if (driver !== 'docker') {
    return [`${key} is passed over: under ${driver} the whole limit is reserved`]
  }
  return (bytesOf(reserved) ?? 0) > (bytesOf(limit) ?? 0)
    ? [`${key} is passed over: it is more than the limit`]
    : []
}

function cpuWarnings(compose: JsonObject, { cpuMhz }: NomadSettings): readonly string[] {
  const { limit, reserved } = asked(compose, 'cpus')
  const [most, promised] = [Number(limit ?? 0), Number(reserved ?? 0)]
  const key = `${RESERVATIONS}.cpus`
  if (promised === 0) return []
  if (cpuMhz !== undefined) return [`${key} is passed over: \`x-task.nomad.cpu\` is reserved`]
  return most === 0 || most === promised
    ? []
    : [`${key} is passed over: the whole limit is reserved`]
}

function asked(compose: JsonObject, key: string) {
  return {
    limit: atPointer(compose, `/${LIMITS.replaceAll('.', '/')}/${key}`) ?? undefined,
    reserved: atPointer(compose, `/${RESERVATIONS.replaceAll('.', '/')}/${key}`) ?? undefined,
  }
}

function bytesOf(value: Json): number | undefined {
  return typeof value === 'string' || typeof value === 'number' ? parseBytes(value) : undefined
}
