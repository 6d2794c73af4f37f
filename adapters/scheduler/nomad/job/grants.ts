import { realName } from '../../../../src/core/compose/declared.ts'
import { fileMode, list, object, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject, member } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { Subject } from './placed.ts'
import { dotted, needs, type Path, Unhonoured } from './unhonoured.ts'
import { present } from './values.ts'

export type GrantKind = 'secrets' | 'configs'

/** A secret or config that the task is given as a file, from an item of a variable of Nomad's. */
export interface Grant {
  /** Its name at the top level of the file. */
  readonly source: string
  readonly path: string
  readonly item: string
  /** The file in the task's folder, and the place where its program looks for it. */
  readonly file: string
  readonly target: string
  readonly mode: string
  readonly owner: JsonObject
}

/** Where an item's value stands that nothing is said of. */
const DEFAULT_ITEM = 'value'
const VARIABLE_PATH = /^[a-zA-Z0-9_~/-]{1,128}$/
/** As a field of a template: an item that is not there is an error then, and else an empty file. */
const ITEM = /^[a-zA-Z_][a-zA-Z0-9_]*$/

export function grantsOf(value: Json, kind: GrantKind, subject: Subject): readonly Grant[] {
  const grants = list(value).map((item, i) => grantOf(item, i, kind, subject))
  if (grants.length > 0) needs(subject.facts, [1, 4, 0], subject.path)
  return grants
}

function grantOf(item: Json, i: number, kind: GrantKind, { path, unit, settings }: Subject): Grant {
  const at = [...path, String(i)]
  const written = isJsonObject(item) ? item : { source: item }
  const source = text(written['source'], `${kind}.source`)
  if (source === undefined) throw new Unhonoured(at, 'it needs a source')
  const target = text(written['target'], `${kind}.target`)
  const folder = kind === 'secrets' ? '/run/secrets/' : '/'
  return {
    source,
    ...variableOf(source, kind, unit.service, settings.variables, at),
    // What is secret is in a file system of memory's (client/allocdir).
    file: `${kind === 'secrets' ? 'secrets' : 'local'}/longhaul/${kind}/${i}`,
    target: target?.startsWith('/') === true ? target : `${folder}${target ?? source}`,
    mode: (fileMode(written['mode'], dotted([...at, 'mode'])) ?? 0o444)
      .toString(8)
      .padStart(4, '0'),
    owner: present({
      Uid: idOf(written['uid'], [...at, 'uid']),
      Gid: idOf(written['gid'], [...at, 'gid']),
    }),
  }
}

function variableOf(
  source: string,
  kind: GrantKind,
  { declared }: Service,
  variables: JsonObject,
  at: Path,
): { readonly path: string; readonly item: string } {
  const said = object(member(variables, source), 'x-task.nomad.variables')
  const name = realName(member(declared?.[kind], source), source)
  const path = text(said['path'], 'x-task.nomad.variables.path') ?? `longhaul/${kind}/${name}`
  if (!VARIABLE_PATH.test(path)) {
    throw new Unhonoured(
      at,
      `no variable of Nomad can be called '${path}': write \`x-task.nomad.variables\``,
    )
  }
  const item = text(said['item'], 'x-task.nomad.variables.item') ?? DEFAULT_ITEM
  if (!ITEM.test(item)) throw new Unhonoured(at, `'${item}' must be letters, digits and \`_\``)
  return { path, item }
}

function idOf(value: Json | undefined, path: Path): number | undefined {
  if (value === undefined || value === null) return undefined
  const id = Number(text(value, 'uid'))
  if (Number.isInteger(id) && id >= 0) return id
  throw new Unhonoured(path, 'Nomad knows owners of files by their numbers')
}

/**
 * The file as a template. It is rendered before the program is started and never has it restarted: a
 * value that changes is the next attempt's. What is lacking is waited for (`start_timeout`).
 */
export function templateOf({ path, item, file, mode, owner }: Grant): JsonObject {
  return {
    EmbeddedTmpl: `{{ with nomadVar ${JSON.stringify(path)} }}{{ .${item} }}{{ end }}`,
    DestPath: file,
    ChangeMode: 'noop',
    ErrMissingKey: true,
    Perms: mode,
    ...owner,
  }
}
