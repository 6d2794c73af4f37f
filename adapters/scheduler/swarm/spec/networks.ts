import { realName } from '../../../../src/core/compose/declared.ts'
import { object, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject, member } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import { pairs, present, presentOrNone, refused, texts } from './draft.ts'

/**
 * What the task is attached to: none unless its file asks for one (an attachment costs half a second
 * at each start, two at each stop, and addresses). By name: the engine itself looks up the ids.
 */
export function networksOf({ compose, declared }: Service): readonly JsonObject[] {
  const mode = text(compose['network_mode'], 'network_mode')
  if (mode === 'host' || mode === 'none') return [{ Target: mode }]
  const written = compose['networks']
  const named = isJsonObject(written)
    ? Object.entries(written)
    : (texts(written, 'networks') ?? []).map((name) => [name, null] as const)
  return named.flatMap(([name, options]) => {
    // Compose's own network of a project; a task belongs to none.
    if (name === 'default' && declared?.networks?.[name] === undefined) return []
    return [
      attachment(realName(member(declared?.networks, name), name), options, `networks.${name}`),
    ]
  })
}

function attachment(target: string, options: Json, key: string): JsonObject {
  const wanted = object(options, key)
  if (wanted['ipv4_address'] !== undefined || wanted['ipv6_address'] !== undefined) {
    throw refused(key, 'Swarm gives addresses itself: take ipv4_address and ipv6_address away')
  }
  const aliases = texts(wanted['aliases'], `${key}.aliases`)
  return present({
    Target: target,
    Aliases: aliases,
    DriverOpts: presentOrNone(pairs(wanted['driver_opts'], `${key}.driver_opts`)),
  })
}
