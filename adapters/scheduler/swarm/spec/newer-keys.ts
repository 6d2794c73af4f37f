import { Rejected } from '../../../../src/core/errors.ts'
import { list } from '../../../../src/core/compose/reader.ts'
import { atPointer, isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import { tmpfsParts } from './tmpfs.ts'

/** A key of a task type whose field not every engine has that can be used. */
export interface NewerKey {
  readonly key: string
  /** The minor of the first Engine API whose services have it in all its releases. */
  readonly minor: number
}

/** The first Docker of an API's minor. */
const RELEASES: ReadonlyMap<number, string> = new Map([
  [42, '23'],
  [44, '25'],
  [46, '27'],
])

/**
 * What a service asks for that came later than the oldest engine. Docker's own version history is the
 * source (moby api/docs/CHANGELOG.md), but for a volume's subpath: API 1.45 has it for containers, and
 * Docker 26.0, which speaks 1.45 too, drops it from services (moby daemon/cluster/convert/container.go).
 */
export function newerKeys({ compose }: Service): readonly NewerKey[] {
  const health = compose['healthcheck']
  const switchedOff = [true, 'true'].some((yes) => atPointer(health ?? null, '/disable') === yes)
  return [
    ...(isJsonObject(health) && isSet(health['start_interval']) && !switchedOff
      ? [{ key: 'healthcheck.start_interval', minor: 44 }]
      : []),
    ...(isSet(compose['oom_score_adj']) ? [{ key: 'oom_score_adj', minor: 46 }] : []),
    ...textsOf(compose['security_opt']).flatMap((option) =>
      /^label[=:]/.test(option) ? [] : [{ key: `security_opt: ${option}`, minor: 44 }],
    ),
    ...textsOf(compose['tmpfs']).flatMap((one) =>
      tmpfsParts(one).others.map(([name = '']) => {
        return { key: `tmpfs: the option '${name}'`, minor: 46 }
      }),
    ),
    ...list(compose['volumes']).flatMap((item, i) =>
      isJsonObject(item) ? ofMount(item, `volumes[${i}]`) : [],
    ),
  ]
}

function ofMount(mount: JsonObject, key: string): readonly NewerKey[] {
  if (mount['type'] === 'cluster') return [{ key: `${key}.type: cluster`, minor: 42 }]
  const subpath = atPointer(mount, '/volume/subpath')
  return isSet(subpath) ? [{ key: `${key}.volume.subpath`, minor: 46 }] : []
}

/** A field that older engines drop without a word must not be sent to them: the key is refused instead. */
export function refuseNewer(service: Service, api: number): void {
  const newer = newerKeys(service).find(({ minor }) => minor > api)
  if (newer === undefined) return
  throw new Rejected(
    'engine-version',
    `${newer.key} needs Engine API 1.${newer.minor} or newer, and this swarm has 1.${api}`,
  )
}

export function newerKeyWarning({ key, minor }: NewerKey): string {
  const release = RELEASES.get(minor) ?? '?'
  return `${key} needs Docker ${release} (API 1.${minor}); an older one refuses the start`
}

function isSet(value: Json | undefined): boolean {
  return value !== undefined && value !== null
}

/** What is no text is refused where it is read. */
function textsOf(value: Json | undefined): readonly string[] {
  return list(value).filter((one) => typeof one === 'string')
}
