import { asksNothing } from '../../../../src/core/compose/unread.ts'
import { realName } from '../../../../src/core/compose/declared.ts'
import { number, object, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject, member } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { Subject, Translate } from './placed.ts'
import { dotted, type Path, Unhonoured } from './unhonoured.ts'
import { onlyKnows, texts } from './values.ts'

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
  const aliases = aliasesOf(attachment)
  return {
    config: {
      network_mode: attachment.name,
      ...(aliases.length > 0 && { network_aliases: aliases }),
      ...addressesOf(attachment, 'mac_address', subject),
    },
  }
}

export const podmanNetworks: Translate = (value, subject) => {
  const attachment = attachmentOf(value, subject)
  if (attachment === undefined) return {}
  if (aliasesOf(attachment).length > 0) {
    throw new Unhonoured([...attachment.path, 'aliases'], 'podman gives no aliases')
  }
  const addresses = addressesOf(attachment, 'static_mac', subject)
  return { config: { network_mode: attachment.name, ...addresses } }
}

function aliasesOf({ options, path }: Attachment): readonly string[] {
  return texts(options['aliases'], [...path, 'aliases'])
}

function addressesOf(
  { options, path }: Attachment,
  macKey: string,
  { unit: { service } }: Subject,
): JsonObject {
  const mac = options['mac_address'] ?? null
  if (mac !== null && !asksNothing(service.compose['mac_address'] ?? null)) {
    throw new Unhonoured(
      [...path, 'mac_address'],
      'it is written as `mac_address` of the service as well',
    )
  }
  const keys = { ipv4_address: 'ipv4_address', ipv6_address: 'ipv6_address', mac_address: macKey }
  return Object.fromEntries(
    Object.entries(keys).flatMap(([key, name]) => {
      const address = text(options[key], dotted([...path, key]))
      return address === undefined ? [] : [[name, address]]
    }),
  )
}

/** Of one network it is clear that it comes first. */
const ORDER = ['priority', 'gw_priority']
const READ = ['aliases', 'ipv4_address', 'ipv6_address', 'mac_address', ...ORDER]

function attachmentOf(value: Json, { path, unit }: Subject): Attachment | undefined {
  const { declared } = unit.service
  const named = (
    isJsonObject(value)
      ? Object.entries(value).map(([name, options]) => ({ name, options, key: name }))
      : texts(value, path).map((name, i) => ({ name, options: null, key: String(i) }))
  ).filter(({ name, options, key }) => {
    if (!isComposeDefault(name, unit.service)) return true
    if (asksNothing(options)) return false
    throw new Unhonoured(
      [...path, key],
      'nothing makes one that could be asked for anything: declare it as external',
    )
  })
  const [first, second] = named
  if (second !== undefined) {
    throw new Unhonoured([...path, second.key], 'Nomad puts a container on one network')
  }
  if (first === undefined) return undefined
  const at = [...path, first.key]
  const options = object(first.options, dotted(at))
  onlyKnows(options, READ, at, {
    driver_opts: 'Nomad hands none over',
    link_local_ips: 'Nomad hands none over',
    interface_name: 'the driver names interfaces itself',
  })
  for (const key of ORDER) number(options[key], dotted([...at, key]))
  return { name: realName(member(declared?.networks, first.name), first.name), path: at, options }
}

/** Compose's own network of a project; a task belongs to none. */
export function isComposeDefault(name: string, { declared }: Service): boolean {
  return name === 'default' && declared?.networks?.[name] === undefined
}
