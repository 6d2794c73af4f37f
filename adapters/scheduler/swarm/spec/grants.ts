import { realName } from '../../../../src/core/compose/declared.ts'
import { fileMode, list, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type JsonObject, member } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import { refused } from './draft.ts'

export type GrantKind = 'secrets' | 'configs'

/** A secret or config that the service is given. */
export interface Grant {
  /** Its name in the swarm. */
  readonly name: string
  readonly file: JsonObject
}

/** What of `secrets` or `configs` the service names; the swarm must hold them already. */
export function grantsOf({ compose, declared }: Service, kind: GrantKind): readonly Grant[] {
  return list(compose[kind]).map((item, i) => {
    const key = `${kind}[${i}]`
    const written = isJsonObject(item) ? item : { source: item }
    const source = text(written['source'], `${key}.source`)
    if (source === undefined) throw refused(key, 'it needs a source')
    return {
      name: realName(member(declared?.[kind], source), source),
      file: {
        // A secret's is a file name under /run/secrets, a config's a path.
        Name: text(written['target'], key) ?? (kind === 'secrets' ? source : `/${source}`),
        UID: text(written['uid'], `${key}.uid`) ?? '0',
        GID: text(written['gid'], `${key}.gid`) ?? '0',
        Mode: fileMode(written['mode'], `${key}.mode`) ?? 0o444,
      },
    }
  })
}

/** The references that a container spec carries. `Rejected` where the swarm does not hold one. */
export function references(
  grants: readonly Grant[],
  kind: GrantKind,
  ids: ReadonlyMap<string, string>,
): readonly JsonObject[] | undefined {
  if (grants.length === 0) return undefined
  const [id, title] =
    kind === 'secrets' ? ['SecretID', 'SecretName'] : (['ConfigID', 'ConfigName'] as const)
  return grants.map(({ name, file }) => {
    const found = ids.get(name)
    if (found === undefined) {
      const one = kind.slice(0, -1)
      throw refused(kind, `the swarm has no ${one} '${name}': docker ${one} create ${name} FILE`)
    }
    return { [id]: found, [title]: name, File: file }
  })
}
