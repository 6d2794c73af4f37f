import { CONSISTENCIES, longMount } from '../../../src/core/compose/mount.ts'
import { list } from '../../../src/core/compose/reader.ts'
import { asksNothing, unread } from '../../../src/core/compose/unread.ts'
import { atPointer, isJsonObject, type Json, type JsonObject } from '../../../src/core/json.ts'

/** What is written in a mapping that the schema leaves free, and is not read. */
export interface UnreadKey {
  readonly key: string
  readonly why: string
}

/** What is read of such a mapping, and why the rest of what Compose has is not. */
interface Known {
  readonly read: readonly string[]
  readonly why?: Readonly<Record<string, string>>
}

const NETWORK: Known = {
  // Swarm has no order of its own; the addresses are refused.
  read: ['aliases', 'driver_opts', 'ipv4_address', 'ipv6_address', 'priority', 'gw_priority'],
  why: {
    interface_name: 'an engine names interfaces itself',
    link_local_ips: 'Swarm gives addresses itself',
    mac_address: 'Swarm gives addresses itself',
  },
}
const OF_ALL = ['type', 'source', 'target', 'read_only', 'consistency']
const MOUNT: ReadonlyMap<string, Known> = new Map([
  ['bind', { read: [...OF_ALL, 'bind'] }],
  ['volume', { read: [...OF_ALL, 'volume'], why: { bind: 'a volume has no propagation' } }],
  ['tmpfs', { read: [...OF_ALL, 'tmpfs'] }],
])
const PART_OF_MOUNT: Readonly<Record<string, Known>> = {
  bind: {
    read: ['propagation', 'selinux'],
    why: {
      create_host_path: 'no folder of a node is made: make it there',
      recursive: 'what is mounted below a folder comes with it',
    },
  },
  volume: { read: ['nocopy', 'subpath', 'labels'] },
  tmpfs: { read: ['size', 'mode'] },
}
const GENERIC: Known = { read: ['discrete_resource_spec'] }
const RESOURCE: Known = { read: ['kind', 'value'] }
const PREFERENCE: Known = { read: ['spread'] }
const CREDENTIALS: Known = { read: ['config', 'file', 'registry'] }
const NOTHING_OF_THE_KIND = 'it has nothing of the kind'

/** Nothing of a file is lost without a word, however deep it stands. */
export function unreadKeys(compose: JsonObject): readonly UnreadKey[] {
  const items = (pointer: string) =>
    list(atPointer(compose, pointer)).map((item, i) => [`${dotted(pointer)}[${i}]`, item] as const)
  const networks = compose['networks']
  return [
    ...(isJsonObject(networks)
      ? Object.entries(networks).flatMap(([name, one]) => of(one, NETWORK, `networks.${name}`))
      : []),
    ...items('/volumes').flatMap(([key, item]) => ofMount(item, key)),
    ...items('/deploy/resources/reservations/generic_resources').flatMap(([key, item]) => [
      ...of(item, GENERIC, key),
      ...of(atPointer(item, '/discrete_resource_spec'), RESOURCE, `${key}.discrete_resource_spec`),
    ]),
    ...items('/deploy/placement/preferences').flatMap(([key, item]) => of(item, PREFERENCE, key)),
    ...of(compose['credential_spec'], CREDENTIALS, 'credential_spec'),
  ]
}

function ofMount(item: Json, key: string): readonly UnreadKey[] {
  const mount = longForm(item)
  if (mount === undefined) return []
  const { type = 'volume', consistency = null } = mount
  // What is no word is refused with one of its own.
  const known = typeof type === 'string' ? MOUNT.get(type) : undefined
  if (known === undefined) return []
  const odd = typeof consistency === 'string' && !CONSISTENCIES.includes(consistency)
  return [
    ...of(mount, known, key),
    ...(odd ? [{ key: `${key}.consistency`, why: NOTHING_OF_THE_KIND }] : []),
    ...Object.entries(PART_OF_MOUNT).flatMap(([part, inner]) =>
      known.read.includes(part) ? of(mount[part], inner, `${key}.${part}`) : [],
    ),
  ]
}

const NO_MOUNT = new Error('no mount')

/** Undefined for what is none: the spec refuses it with a word of its own. */
function longForm(item: Json): JsonObject | undefined {
  if (isJsonObject(item)) return item
  if (typeof item !== 'string') return undefined
  try {
    return longMount(item, () => NO_MOUNT)
  } catch (error) {
    if (error !== NO_MOUNT) throw error
    return undefined
  }
}

function of(
  options: Json | undefined,
  { read, why = {} }: Known,
  key: string,
): readonly UnreadKey[] {
  if (!isJsonObject(options)) return []
  return unread(options, read).flatMap((name) => {
    const known = Object.hasOwn(why, name)
    // What Compose has and is not asked for, such as `create_host_path: false`.
    if (known && (asksNothing(options[name] ?? null) || options[name] === 'enabled')) return []
    return [{ key: `${key}.${name}`, why: (known ? why[name] : undefined) ?? NOTHING_OF_THE_KIND }]
  })
}

function dotted(pointer: string): string {
  return pointer.slice(1).replaceAll('/', '.')
}
