import { atPointer, isJsonObject, type Json, type JsonObject } from '../../src/core/json.ts'
import schema from '../../schema/task-type.schema.json' with { type: 'json' }

/** A mapping of a service whose keys no schema checks: what is not read of it must be refused. */
interface FreeMapping {
  /** `volumes[].bind`: the same for every item. */
  readonly place: string
  /** The service with one key more in it. */
  readonly with: (key: string, value: Json) => JsonObject
}

const SERVICE = atPointer(schema, '/properties/services/additionalProperties') as JsonObject

/** Those that a service has, and all that is below them. */
export function freeMappingsIn(service: JsonObject): readonly FreeMapping[] {
  return walk(service, SERVICE, '', (value) => value as JsonObject)
}

function walk(
  value: Json,
  described: Json | undefined,
  place: string,
  rebuilt: (value: Json) => JsonObject,
): readonly FreeMapping[] {
  if (Array.isArray(value)) {
    const items = value as readonly Json[]
    return items.flatMap((item, i) =>
      walk(item, memberOf(described, 'items'), `${place}[]`, (one) => rebuilt(items.with(i, one))),
    )
  }
  if (!isJsonObject(value)) return []
  const below = Object.entries(value).flatMap(([key, member]) => {
    const known = atPointer(described ?? null, `/properties/${key}`)
    const further = known ?? memberOf(described, 'additionalProperties')
    return walk(
      member,
      further,
      known === undefined && further !== undefined ? `${place}.*` : `${place}.${key}`,
      (one) => rebuilt({ ...value, [key]: one }),
    )
  })
  if (!isFree(described)) return below
  const own = {
    place: place.slice(1),
    with: (key: string, one: Json) => rebuilt({ ...value, [key]: one }),
  }
  return [own, ...below]
}

/** Every place where the schema of a service leaves a mapping free. */
export function freePlaces(described: Json = SERVICE, place = ''): readonly string[] {
  if (!isJsonObject(described)) return []
  const properties = isJsonObject(described['properties']) ? described['properties'] : {}
  return [
    ...(isFree(described) ? [place.slice(1)] : []),
    ...Object.entries(properties).flatMap(([key, member]) =>
      key === 'x-task' ? [] : freePlaces(member, `${place}.${key}`),
    ),
    ...freePlaces(described['items'] ?? null, `${place}[]`),
    ...freePlaces(described['additionalProperties'] ?? null, `${place}.*`),
  ]
}

function isFree(described: Json | undefined): boolean {
  if (!isJsonObject(described)) return true
  const { type, additionalProperties } = described
  return [type].flat().includes('object') && additionalProperties !== false
}

function memberOf(described: Json | undefined, key: string): Json | undefined {
  const member = isJsonObject(described) ? described[key] : undefined
  return isJsonObject(member) ? member : undefined
}
