import { CONSISTENCIES, longMount } from '../../../../src/core/compose/mount.ts'
import { list, object, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { dotted, type Path, Unhonoured } from './unhonoured.ts'
import { flag, onlyKnows } from './values.ts'

/** A mount in its long form, and where in the service it stands. */
export interface Mount {
  readonly written: JsonObject
  readonly path: Path
  readonly type: string
  readonly source?: string
  readonly target: string
  readonly readOnly?: boolean
}

const OF_ALL = ['type', 'target', 'read_only', 'consistency']

/** What a mount may say beside; the short form gives volumes a propagation. */
const OF_TYPE: ReadonlyMap<string, readonly string[]> = new Map([
  ['bind', ['source', 'bind']],
  ['volume', ['source', 'volume', 'bind']],
  ['tmpfs', ['tmpfs']],
])

/** The items of `volumes`, those in the short form made long. */
export function mountsIn(value: Json, path: Path): readonly Mount[] {
  return list(value).map((item, i) => mountIn(item, [...path, String(i)]))
}

function mountIn(item: Json, path: Path): Mount {
  const written = isJsonObject(item)
    ? item
    : longMount(text(item, dotted(path)) ?? '', (why) => new Unhonoured(path, why))
  const of = (key: string) => text(written[key], dotted([...path, key]))
  const source = of('source')
  const target = of('target') ?? ''
  if (target === '') throw new Unhonoured(path, 'a mount needs a target')
  const type = of('type') ?? 'volume'
  const known = OF_TYPE.get(type)
  if (known === undefined) {
    throw new Unhonoured(path, `Nomad has no mounts of the type '${type}'`)
  }
  onlyKnows(written, [...OF_ALL, ...known], path)
  const consistency = of('consistency')
  if (consistency !== undefined && !CONSISTENCIES.includes(consistency)) {
    throw new Unhonoured([...path, 'consistency'], 'must be consistent, cached or delegated')
  }
  const readOnly = flag(written['read_only'], [...path, 'read_only'])
  return {
    written,
    path,
    type,
    target,
    ...(source !== undefined && { source }),
    ...(readOnly !== undefined && { readOnly }),
  }
}

/** A folder of a node: what is relative is so to nothing that a node has. */
export function folderOfNode({ source, path }: Mount): string {
  if (source?.startsWith('/') === true) return source
  throw new Unhonoured(
    path,
    `'${source ?? ''}' must be an absolute path: it is a folder of whichever node the task comes to`,
  )
}

/** What a mount says under `bind`: its propagation, and what the driver knows beside. */
export function bindOptions(mount: Mount, keys: readonly string[] = []): JsonObject {
  const path = [...mount.path, 'bind']
  const options = object(mount.written['bind'], dotted(path))
  onlyKnows(options, ['propagation', 'recursive', ...keys], path, {
    create_host_path: 'no folder of a node is made: make it there, and take this away',
    selinux: 'Nomad relabels folders by its own configuration',
  })
  const at = [...path, 'recursive']
  if ((text(options['recursive'], dotted(at)) ?? 'enabled') !== 'enabled') {
    throw new Unhonoured(at, 'what is mounted below a folder comes with it')
  }
  return options
}
