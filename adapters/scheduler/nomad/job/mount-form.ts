import { longMount } from '../../../../src/core/compose/mount.ts'
import { list, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { dotted, type Path, Unhonoured } from './unhonoured.ts'

/** A mount in its long form, and where in the service it stands. */
export interface Mount {
  readonly written: JsonObject
  readonly path: Path
  readonly type: string
  readonly source?: string
  readonly target: string
}

/** The items of `volumes`, those in the short form made long. */
export function mountsIn(value: Json, path: Path): readonly Mount[] {
  return list(value).map((item, i) => {
    const at = [...path, String(i)]
    const written = isJsonObject(item)
      ? item
      : longMount(text(item, dotted(at)) ?? '', (why) => new Unhonoured(at, why))
    const source = text(written['source'], 'volumes.source')
    const target = text(written['target'], 'volumes.target') ?? ''
    if (target === '') throw new Unhonoured(at, 'a mount needs a target')
    const type = text(written['type'], 'volumes.type') ?? 'volume'
    return { written, path: at, type, target, ...(source !== undefined && { source }) }
  })
}

/** A folder of a node: what is relative is so to nothing that a node has. */
export function folderOfNode({ source, path }: Mount): string {
  if (source?.startsWith('/') === true) return source
  throw new Unhonoured(
    path,
    `'${source ?? ''}' must be an absolute path: it is a folder of whichever node the task comes to`,
  )
}
