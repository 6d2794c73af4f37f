import { list, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { dotted, type Path, Unhonoured } from './unhonoured.ts'
import { onlyKnows } from './values.ts'

/** A device of a node, and what it is in the container. */
export interface Device {
  readonly host: string
  readonly container: string | undefined
  readonly permissions: string | undefined
}

/** The items of `devices`. */
export function devicesIn(value: Json, path: Path): readonly Device[] {
  return list(value).map((item, i) => deviceIn(item, [...path, String(i)]))
}

function deviceIn(item: Json, path: Path): Device {
  const [host = '', container, permissions] = isJsonObject(item)
    ? longForm(item, path)
    : shortForm(text(item, dotted(path)) ?? '', path)
  if (!host.startsWith('/')) throw new Unhonoured(path, `'${host}' is no device of a node`)
  return { host, container, permissions }
}

type Parts = readonly (string | undefined)[]

function longForm(item: JsonObject, path: Path): Parts {
  const keys = ['source', 'target', 'permissions']
  onlyKnows(item, keys, path)
  return keys.map((key) => text(item[key], dotted([...path, key])))
}

/** `/dev/a:/dev/b:rwm`, and `/dev/a:rwm` as Docker reads it. */
function shortForm(written: string, path: Path): Parts {
  const parts = written.split(':')
  if (parts.length > 3) throw new Unhonoured(path, `'${written}' is not source:target:permissions`)
  const [host, second, third] = parts
  const bare = third === undefined && /^[rwm]{1,3}$/.test(second ?? '')
  return bare ? [host, undefined, second] : [host, second, third]
}
