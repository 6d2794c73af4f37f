import { list, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { type Path, Unhonoured } from './unhonoured.ts'

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']
/** Of how strictly a Mac sees the same as its virtual machine: nothing to a node. */
const NO_MATTER = ['rw', 'cached', 'delegated', 'consistent']

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
    const written = isJsonObject(item) ? item : longForm(text(item, 'volumes') ?? '', at)
    const source = text(written['source'], 'volumes.source')
    const target = text(written['target'], 'volumes.target') ?? ''
    if (target === '') throw new Unhonoured(at, 'a mount needs a target')
    const type = text(written['type'], 'volumes.type') ?? 'volume'
    return { written, path: at, type, target, ...(source !== undefined && { source }) }
  })
}

/** `source:/target:options`. */
function longForm(written: string, path: Path): JsonObject {
  const parts = written.split(':')
  if (parts.length === 1) return { type: 'volume', target: written }
  if (parts.length > 3) throw new Unhonoured(path, `'${written}' is not source:/target:options`)
  const [source = '', target = '', options = ''] = parts
  const type = /^[./~]/.test(source) ? 'bind' : 'volume'
  const form: Record<string, Json> = { type, source, target }
  for (const option of options.split(',').filter((one) => one !== '')) {
    if (option === 'ro') form['read_only'] = true
    else if (PROPAGATIONS.includes(option)) form['bind'] = { propagation: option }
    else if (option === 'nocopy') form['volume'] = { nocopy: true }
    else if (!NO_MATTER.includes(option)) {
      throw new Unhonoured(path, `Nomad has no mount option '${option}'`)
    }
  }
  return form
}

/** A folder of a node: what is relative is so to nothing that a node has. */
export function folderOfNode({ source, path }: Mount): string {
  if (source?.startsWith('/') === true) return source
  throw new Unhonoured(
    path,
    `'${source ?? ''}' must be an absolute path: it is a folder of whichever node the task comes to`,
  )
}
