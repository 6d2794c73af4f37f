import { isJsonObject } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { atPath } from './problem.ts'
import type { Path, Problem } from './problem.ts'

/** Secrets, configs, networks and volumes that the service names and the top level does not have. */
export function resourceProblems(document: Json, servicePath: Path): readonly Problem[] {
  return (['secrets', 'configs', 'networks', 'volumes'] as const).flatMap((kind) => {
    const declared = atPath(document, [kind])
    const known = isJsonObject(declared) ? Object.keys(declared) : []
    return namesOf(document, [...servicePath, kind], kind)
      .filter(({ name }) => !known.includes(name) && !(kind === 'networks' && name === 'default'))
      .map(({ name, path, at }) => ({
        path,
        at,
        message: `\`${name}\` is not among the \`${kind}\` of the top level`,
      }))
  })
}

interface Named {
  readonly name: string
  readonly path: Path
  readonly at: Problem['at']
}

function namesOf(document: Json, path: Path, kind: string): readonly Named[] {
  const used = atPath(document, path)
  if (isJsonObject(used))
    return Object.keys(used).map((name) => ({ name, path: [...path, name], at: 'key' }))
  if (!Array.isArray(used)) return []
  return used.flatMap((item: Json, i): Named[] => {
    const place = [...path, String(i)]
    const name = kind === 'volumes' ? volumeName(item) : sourceOf(item)
    if (name === undefined) return []
    return [{ name, path: isJsonObject(item) ? [...place, 'source'] : place, at: 'value' }]
  })
}

function sourceOf(item: Json): string | undefined {
  const source = isJsonObject(item) ? item['source'] : item
  return typeof source === 'string' ? source : undefined
}

/** The volume's name; none where a folder of the node or nothing named is mounted. */
function volumeName(item: Json): string | undefined {
  if (isJsonObject(item)) return item['type'] === 'volume' ? sourceOf(item) : undefined
  if (typeof item !== 'string' || !item.includes(':')) return undefined
  const source = item.split(':', 1)[0] ?? ''
  // One letter before the colon is a drive of Windows.
  return /^[./~\\]|^[A-Za-z]$/.test(source) ? undefined : source
}
