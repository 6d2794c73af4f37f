import { realName } from '../../../../src/core/compose/declared.ts'
import { object, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { Subject, Translate } from './placed.ts'
import { type Path, Unhonoured } from './unhonoured.ts'
import { asksNothing, pairs, texts } from './values.ts'

const MODES = ['host', 'none', 'bridge']

/** `network_mode`: the driver's own. Without it, the driver's bridge on the node. */
export const networkMode: Translate = (value, { path }) => {
  const mode = text(value, 'network_mode') ?? ''
  if (MODES.includes(mode)) return { config: { network_mode: mode } }
  throw new Unhonoured(path, `a task is alone on its node: write one of ${MODES.join(', ')}`)
}

interface Attachment {
  readonly name: string
  readonly path: Path
  readonly options: JsonObject
}

/** `networks`: the one network of the driver's on the node that the container is put on. */
export const dockerNetworks: Translate = (value, subject) => {
  const attachment = attachmentOf(value, subject)
  if (attachment === undefined) return {}
  const { name, options, path } = attachment
  const aliases = texts(options['aliases'], [...path, 'aliases'])
  return {
    config: {
      network_mode: name,
      ...(aliases.length > 0 && { network_aliases: aliases }),
      ...addresses(options),
    },
  }
}

export const podmanNetworks: Translate = (value, subject) => {
  const attachment = attachmentOf(value, subject)
  if (attachment === undefined) return {}
  const { name, options, path } = attachment
  if (!asksNothing(options['aliases'] ?? null)) {
    throw new Unhonoured([...path, 'aliases'], 'podman gives no aliases')
  }
  return { config: { network_mode: name, ...addresses(options) } }
}

function addresses(options: JsonObject): JsonObject {
  return Object.fromEntries(
    ['ipv4_address', 'ipv6_address'].flatMap((key) => {
      const address = text(options[key], `networks.${key}`)
      return address === undefined ? [] : [[key, address]]
    }),
  )
}

function attachmentOf(value: Json, { path, unit }: Subject): Attachment | undefined {
  const named = (
    isJsonObject(value)
      ? Object.entries(value).map(([name, options]) => ({ name, options, key: name }))
      : texts(value, path).map((name, i) => ({ name, options: null, key: String(i) }))
  ).filter(({ name }) => !isComposeDefault(name, unit.service))
  const [first, second] = named
  if (second !== undefined) {
    throw new Unhonoured([...path, second.key], 'Nomad puts a container on one network')
  }
  if (first === undefined) return undefined
  const at = [...path, first.key]
  const options = object(first.options, 'networks')
  if (Object.keys(pairs(options['driver_opts'], [...at, 'driver_opts'])).length > 0) {
    throw new Unhonoured([...at, 'driver_opts'], 'Nomad hands none over')
  }
  return {
    name: realName(unit.service.declared?.networks?.[first.name], first.name),
    path: at,
    options,
  }
}

/** Compose's own network of a project; a task belongs to none. */
function isComposeDefault(name: string, { declared }: Service): boolean {
  return name === 'default' && declared?.networks?.[name] === undefined
}
